// `tollgate import`: the configuration of another gateway as manifests of ours, and a list of what was not carried over.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { sha256 } from '#platform/digest.ts';
import type { Finding } from './import/findings.ts';
import { type Converted, convert, type TextFile } from './import/litellm/convert.ts';
import type { Manifest } from './import/manifests.ts';

export type ImportIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
};

const help = `Usage: tollgate import litellm [options] config.yaml

Writes the configuration of a LiteLLM proxy as LLMProviders, LLMRoutes and TenantKeys: to standard output, or into files of a folder.
What is not carried over, or not as it was, is listed on standard error with file and line.

  --out DIR      write providers.yaml, routes.yaml and keys.yaml there; files that exist are not touched
  --keys FILE    also keys, as GET /key/list?return_full_object=true answers them; they go on working, with their limits and budgets
  --teams FILE   also teams, as GET /team/list answers them: their budgets and models bound those of their keys
  --cluster      for a cluster: the Secret is left to you, and told
  --strict       exit code 1 when anything was not carried over
  --help         this text

Exit code: 0 when manifests were written, 1 when the file cannot be read or has no model that can be carried over, 2 for arguments it
does not understand.
`;

const flags = {
  out: { type: 'string' },
  keys: { type: 'string' },
  teams: { type: 'string' },
  cluster: { type: 'boolean', default: false },
  strict: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

type Options = ReturnType<typeof parseArgs<{ options: typeof flags; allowPositionals: true }>>['values'];

export async function importFrom(args: string[], io: ImportIo): Promise<number> {
  const { values, positionals, usage } = parsedArgs(args);
  if (values?.help) {
    io.out(help);
    return 0;
  }
  if (usage !== undefined || values === undefined) {
    io.err(`${usage}\n\n${help}`);
    return 2;
  }
  try {
    return await importLiteLlm(positionals[1]!, values, io);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.err(`tollgate import: ${message}\n`);
    return 1;
  }
}

function parsedArgs(args: string[]) {
  try {
    const { values, positionals } = parseArgs({ args, options: flags, allowPositionals: true });
    const [from, file, ...rest] = positionals;
    const isSound = values.help || (from === 'litellm' && file !== undefined && rest.length === 0);
    return { values, positionals, usage: isSound ? undefined : 'Which gateway, and which file? Known: litellm.' };
  } catch (error) {
    return { values: undefined, positionals: [], usage: (error as Error).message };
  }
}

async function importLiteLlm(file: string, { out, keys, teams, cluster, strict }: Options, io: ImportIo): Promise<number> {
  const converted = convert({
    config: await textFile(file),
    keys: keys === undefined ? undefined : await textFile(keys),
    teams: teams === undefined ? undefined : await textFile(teams),
    forCluster: cluster,
    environment: io.env,
    digest: sha256,
    now: io.now(),
  });
  if ('unreadable' in converted) {
    io.err(`tollgate import: ${converted.unreadable}\n`);
    return 1;
  }
  io.err(findingsText(converted.findings));
  if (converted.routes.length === 0) {
    io.err(`tollgate import: ${file} has no model that can be carried over\n`);
    return 1;
  }
  if (out === undefined) io.out(yamlOf([...converted.providers, ...converted.routes, ...converted.keys], file));
  else await writeFiles(out, converted, file);
  io.err(summary(converted, out, cluster));
  return strict && converted.findings.length > 0 ? 1 : 0;
}

const textFile = async (name: string): Promise<TextFile> => ({ name, text: await readFile(name, 'utf8') });

/** Never over a file that is there: it may have been edited since. */
async function writeFiles(folder: string, { providers, routes, keys }: Converted, from: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const present = new Set(await readdir(folder));
  const files = Object.entries({ providers, routes, keys }).map(
    ([name, manifests]) => [`${name}.yaml`, yamlOf(manifests, from)] as const,
  );
  const taken = files.find(([name]) => present.has(name));
  if (taken) throw Object.assign(new Error(`${join(folder, taken[0])} is there already`), { code: 'EEXIST' });
  for (const [name, text] of files) await writeFile(join(folder, name), text, { flag: 'wx', mode: 0o600 });
}

const yamlOf = (manifests: readonly Manifest[], from: string): string =>
  `# Made by \`tollgate import litellm ${from}\`.\n${manifests.map(one => stringify(one, { lineWidth: 0 })).join('---\n')}`;

// ---------------------------------------------------------------- for people

/** One line for all places of one kind: a thousand keys have the same to say. */
function findingsText(findings: readonly Finding[]): string {
  const kind = ({ file, path, message }: Finding) => `${file} ${path.replaceAll(/\d+/g, '*')} ${message}`;
  const lines = [...Map.groupBy(findings, kind).values()].map(([first, ...more]) => {
    const others = more.length > 0 ? ` (and in ${more.length} more places like it)` : '';
    return `${first!.file}:${first!.line}: ${first!.path ? `${first!.path}: ` : ''}${first!.message}${others}\n`;
  });
  return lines.length > 0 ? `Not carried over, or not as it was:\n${lines.join('')}\n` : '';
}

function summary({ providers, routes, keys, secret }: Converted, out: string | undefined, cluster: boolean): string {
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
  const made = [
    counted(providers.filter(({ kind }) => kind === 'LLMProvider').length, 'provider'),
    counted(routes.length, 'route'),
    counted(keys.length, 'key'),
  ];
  const names = [...new Set(secret.variables.map(({ variable }) => variable))];
  const literals = secret.variables.map(({ key, variable }) => `--from-literal=${key}="$${variable}"`);
  const next = cluster
    ? `kubectl create secret generic ${secret.name} ${literals.join(' ')}`
    : `Variables that the gateway takes its secrets from: ${names.join(', ')}`;
  return `${made.join(', ')}${out === undefined ? '' : ` in ${out}`}.\n${names.length > 0 ? `${next}\n` : ''}`;
}
