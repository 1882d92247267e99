// What a Secret manifest says for each of its keys, the environment included.
import type { Complaint } from '../resources/read.ts';

/** The value of a key, or why there is none. */
export type SecretEntry = { readonly value: string } | { readonly missing: string };

/** Where `$(NAME)` comes from. */
export type Environment = Readonly<Record<string, string | undefined>>;

type Manifest = { readonly data?: StringMap | null | undefined; readonly stringData?: StringMap | null | undefined };
type StringMap = Readonly<Record<string, string>>;

/** As in Kubernetes, stringData wins over data. White space around a value is the editor's, never the key's. */
export function secretEntries({ data, stringData }: Manifest, environment: Environment) {
  const entries = new Map<string, SecretEntry>();
  const complaints: Complaint[] = [];
  for (const [key, encoded] of Object.entries(data ?? {})) {
    const decoded = textOfBase64(encoded);
    if (decoded === undefined) complaints.push({ path: ['data', key], message: 'is not a text in base64' });
    else entries.set(key, { value: decoded.trim() });
  }
  for (const [key, written] of Object.entries(stringData ?? {})) entries.set(key, expanded(written, environment));
  return { entries, complaints };
}

/** An unset or empty variable leaves the whole key missing. */
function expanded(written: string, environment: Environment): SecretEntry {
  const unset = new Set<string>();
  const value = written.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (_, name: string) => {
    const found = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (!found) unset.add(name);
    return found ?? '';
  });
  return unset.size > 0 ? { missing: `the environment variable ${[...unset].join(', ')} is not set` } : { value: value.trim() };
}

function textOfBase64(encoded: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(encoded), character => character.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
