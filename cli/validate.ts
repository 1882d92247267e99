// `tollgate validate`: reads manifests as the gateway would, and prints what it would make of each.
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  type Compiled,
  compile,
  emptyCatalogue,
  isCidr,
  keysToGenerate,
  needsCatalogue,
  type UpstreamPolicy,
  type Verdict,
} from '#core/compile/index.ts';
import { epochMillis } from '#core/units.ts';
import { environmentNames } from '#dataplane/config/simulated.ts';
import { type Manifests, readManifests } from '#platform/manifests.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';

export type ValidateIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person reads along on a terminal. */
  readonly color: boolean;
};

const help = `Usage: tollgate validate [options] DIR|FILE...

Reads YAML and JSON manifests as the gateway would, and says of each object whether it is sound, where it is not, and which of its
fields are accepted but not yet in force. Secrets take $(NAME) from the environment.

  --cluster      judge as in a cluster: https for hosted providers, no loopback addresses
  --assume-env   variables that Secrets name and that are not set count as set, for checks where no secret is at hand
  --json         one JSON document for machines
  --quiet        only what is unsound
  --help         this text

Exit code: 0 when all is sound, 1 when something is not, 2 for arguments it does not understand.
`;

const flags = {
  cluster: { type: 'boolean', default: false },
  'assume-env': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

export async function validate(args: string[], io: ValidateIo): Promise<number> {
  const parsed = parsedArgs(args);
  if ('usage' in parsed) {
    io.err(`${parsed.usage}\n\n${help}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    io.out(help);
    return 0;
  }
  const policy = policyOf(values.cluster, io.env);
  const wrong = policy.allowUpstreamCidrs.find(cidr => !isCidr(cidr));
  if (wrong !== undefined) {
    io.err(`ALLOW_UPSTREAM_CIDRS: ${wrong} is not an address block such as 10.0.0.0/8\n`);
    return 2;
  }
  const manifests = await readManifests(positionals);
  const { verdicts } = await compiled(manifests.documents, policy, io.env, values['assume-env']);
  const isSound = manifests.errors.length === 0 && verdicts.every(verdict => verdict.sound);
  io.out(values.json ? asJson(manifests, verdicts, isSound) : asText(manifests, verdicts, values.quiet, io.color));
  return isSound ? 0 : 1;
}

function parsedArgs(args: string[]) {
  try {
    const parsed = parseArgs({ args, options: flags, allowPositionals: true });
    return parsed.positionals.length > 0 || parsed.values.help ? parsed : { usage: 'Which folder or files?' };
  } catch (thrown) {
    return { usage: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

function policyOf(cluster: boolean, env: ValidateIo['env']): UpstreamPolicy {
  return {
    standalone: !cluster,
    allowHttpUpstreams: env.ALLOW_HTTP_UPSTREAMS === 'true',
    allowUpstreamCidrs: (env.ALLOW_UPSTREAM_CIDRS ?? '').split(',').flatMap(cidr => cidr.trim() || []),
  };
}

async function compiled(
  documents: Manifests['documents'],
  policy: UpstreamPolicy,
  env: ValidateIo['env'],
  assumesEnv: boolean,
): Promise<Compiled> {
  const objects = documents.map(source => ({ value: source.value, source }));
  const assumed = assumesEnv ? [...environmentNames(objects)].filter(name => !env[name]) : [];
  return compile({
    objects,
    policy,
    environment: { ...env, ...Object.fromEntries(assumed.map(name => [name, placeholder(name)])) },
    catalogue: needsCatalogue(objects) ? await loadPriceCatalogue() : emptyCatalogue,
    digest: text => createHash('sha256').update(text).digest('hex'),
    now: epochMillis(Date.now()),
    // Nothing is made here; a key that would be made counts as there.
    generated: new Map(keysToGenerate(objects).map(({ id }) => [id, placeholder(id)])),
  });
}

/** Stands for a secret that is not at hand: different for each, and long enough not to be called weak. */
const placeholder = (name: string) => `stands-for-the-secret-${name}`;

// ---------------------------------------------------------------- for machines

const asJson = ({ errors }: Manifests, verdicts: readonly Verdict[], sound: boolean) =>
  `${JSON.stringify({ sound, errors, verdicts }, null, 2)}\n`;

// ---------------------------------------------------------------- for people

type Style = {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
};

const wrapped = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
const plain = (text: string) => text;
const styleFor = (color: boolean): Style =>
  color ? { good: wrapped(32), bad: wrapped(31), dim: wrapped(2) } : { good: plain, bad: plain, dim: plain };

function asText({ errors, files }: Manifests, verdicts: readonly Verdict[], quiet: boolean, color: boolean): string {
  const style = styleFor(color);
  const unreadable = errors.map(({ file, line, message }) => `${style.bad('✗')} ${file}:${line}\n    ${message}`);
  const shown = quiet ? verdicts.filter(verdict => !verdict.sound) : verdicts;
  const blocks = [...unreadable, ...shown.map(verdict => verdictText(verdict, style))];
  return `${[...blocks, summary(files.length, verdicts, errors.length, style)].join('\n')}\n`;
}

function verdictText(verdict: Verdict, style: Style): string {
  const { kind, namespace, name, file, line, problems, notInForce, sound } = verdict;
  const place = file === undefined ? '' : style.dim(`  ${file}:${line}`);
  const mark = sound ? style.good('✓') : style.bad('✗');
  const head = `${mark} ${kind || 'object'} ${namespace}/${name || '?'}${stateOf(verdict, style)}${place}`;
  const details = problems.map(problem => {
    const at = file === undefined ? '' : `${file}:${problem.line ?? line}: `;
    return `    ${style.dim(at)}${problem.path ? `${problem.path}: ` : ''}${problem.message}`;
  });
  const later = notInForce.length > 0 ? [`    ${style.dim(`not yet in force: ${notInForce.join(', ')}`)}`] : [];
  return [head, ...details, ...later].join('\n');
}

/** The reason of the first condition that does not hold, and whether what is sound of it is served all the same. */
function stateOf({ conditions, sound, live }: Verdict, style: Style): string {
  const failed = conditions.find(condition => condition.status === 'False');
  if (failed === undefined) return '';
  const served = live ? ', live with the rest' : ', not live';
  return ` ${(sound ? style.dim : style.bad)(`${failed.reason}${failed.reason === 'Suspended' ? '' : served}`)}`;
}

function summary(files: number, verdicts: readonly Verdict[], errors: number, style: Style): string {
  const unsound = verdicts.filter(verdict => !verdict.sound).length;
  const broken = [unsound > 0 ? `${unsound} unsound` : '', errors > 0 ? `${errors} not readable` : ''].filter(Boolean);
  const outcome = broken.length > 0 ? style.bad(broken.join(', ')) : style.good('all sound');
  return `${counted(files, 'file')}, ${counted(verdicts.length, 'object')}: ${outcome}`;
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
