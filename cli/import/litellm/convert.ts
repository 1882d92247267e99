// A configuration of LiteLLM's proxy as manifests. Nothing is read or written here: texts come in, manifests and findings go out.
import { type Finding, openSource, Section } from '../findings.ts';
import { type Manifest, SecretKeys } from '../manifests.ts';
import { readDeployments } from './deployments.ts';
import { keysOf } from './keys.ts';
import { routesOf } from './routes.ts';
import { readSettings } from './settings.ts';

export type TextFile = { readonly name: string; readonly text: string };

export type Inputs = {
  readonly config: TextFile;
  readonly keys: TextFile | undefined;
  readonly teams: TextFile | undefined;
  /** Secrets are made apart, and their variables are in nobody's environment. */
  readonly forCluster: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly digest: (text: string) => string;
  readonly now: number;
};

export type Converted = {
  readonly providers: readonly Manifest[];
  readonly routes: readonly Manifest[];
  readonly keys: readonly Manifest[];
  readonly findings: readonly Finding[];
  /** What the gateway's environment, or the Secret in a cluster, has to have. */
  readonly secret: { readonly name: string; readonly variables: readonly { readonly key: string; readonly variable: string }[] };
};

const SECRET = 'litellm-keys';

export function convert({
  config,
  keys,
  teams,
  forCluster,
  environment,
  digest,
  now,
}: Inputs): Converted | { readonly unreadable: string } {
  const findings: Finding[] = [];
  const opened = openSource(config.text, config.name, findings);
  const listed = [keys, teams].map(file => file && openSource(file.text, file.name, findings));
  for (const one of [opened, ...listed]) if (one && 'unreadable' in one) return one;
  if ('unreadable' in opened) return opened;
  const [keySource, teamSource] = listed.map(one => (one && 'source' in one ? one.source : undefined));
  const root = new Section(opened.source, [], opened.source.value);
  const secrets = new SecretKeys(SECRET);
  const settings = readSettings(root);
  const catalogue = readDeployments(root, { settings, secrets, environment });
  const routes = routesOf(catalogue.deployments, settings, root);
  const tenantKeys = keysOf({ keys: keySource, teams: teamSource, settings, secrets, digest, now });
  root.tell('set these in the environment of the gateway', 'environment_variables');
  root.tell('not followed: import each file by itself', 'include');
  root.tellRest();
  const secret = secrets.manifest(!forCluster);
  return {
    providers: [...(secret ? [secret] : []), ...catalogue.providers()],
    routes,
    keys: tenantKeys,
    findings: findings.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line),
    secret: { name: secrets.name, variables: secrets.variables() },
  };
}
