// Builds the image of a Dockerfile in folders and starts commands in it, without a container engine: each stage is a folder that a process
// is locked into (chroot), in mount, process and network namespaces of its own. What stands in for the base image is this machine's
// system, read-only, with the Node that the tests run on. Needs Linux and root.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { contextFiles, pairsOf, type Step, stagesOf } from './dockerfile.ts';
import { until, within } from './until.ts';

export type ImageConfig = {
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** `uid:gid` */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
};

export type Image = {
  readonly config: ImageConfig;
  /** Where its files are on this machine. */
  readonly root: string;
  start(options?: StartOptions): Promise<Container>;
  /** Ends what still runs, and takes the files away. */
  remove(): void;
};

export type StartOptions = {
  /** Instead of the image's command, behind its entry point. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  /** Files of this machine by where they are in the image; read-only. */
  readonly mounts?: Readonly<Record<string, string>>;
};

export type Container = {
  logs(): string;
  /** From within its network, where its ports are. */
  fetch(
    url: string,
    init?: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string },
  ): {
    readonly status: number;
    readonly body: string;
  };
  /** SIGTERM to its process 1, as an engine does; resolves with the exit code. */
  stop(): Promise<number | null>;
  readonly exited: Promise<number | null>;
};

/** The folder of npm itself: its command is `bin/npm-cli.js` there. */
const npm = path.join(commandPath('npm'), '..', '..');
const tools = ['unshare', '-m', '-p', '-n', '--fork', 'sh', '-c', 'ip link set lo up && mount -t tmpfs none /mnt'];

/** false, or why a test that needs an image is skipped. */
export const withoutImages: string | false =
  process.getuid?.() !== 0 || spawnSync(tools[0]!, tools.slice(1)).status !== 0
    ? 'locking a process into an image needs Linux, root, and namespaces (util-linux, iproute2)'
    : !existsSync(path.join(npm, 'bin/npm-cli.js')) && 'npm is a script of its own here, not the package of that name';

function commandPath(name: string): string {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
  return found === '' ? '/' : realpathSync(found);
}

export function buildImage(folder: string): Image {
  const built = mkdtempSync(path.join(tmpdir(), 'tollgate-image-'));
  const roots = new Map<string, string>();
  let config = emptyConfig;
  for (const [index, { name, steps }] of stagesOf(readFileSync(path.join(folder, 'Dockerfile'), 'utf8')).entries()) {
    const root = path.join(built, String(index));
    roots.set(name, root);
    layBase(root);
    config = emptyConfig;
    for (const step of steps) {
      config = configured(config, step);
      if (step.keyword === 'COPY') copy(step, step.flags.from ? roots.get(step.flags.from)! : folder, root, config.workdir);
      if (step.keyword === 'RUN') runStep(step, root, config);
    }
  }
  const root = [...roots.values()].at(-1)!;
  const running = new Set<() => void>();
  // A test that fails leaves no process behind.
  process.once('exit', () => {
    for (const kill of running) kill();
  });
  return {
    config,
    root,
    start: options => start(root, config, running, options),
    remove() {
      for (const kill of running) kill();
      rmSync(built, { recursive: true, force: true });
    },
  };
}

const emptyConfig: ImageConfig = {
  env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  workdir: '/',
  user: '0:0',
  entrypoint: [],
  command: [],
  ports: [],
  volumes: [],
};

function configured(config: ImageConfig, step: Step): ImageConfig {
  const { words } = step;
  switch (step.keyword) {
    case 'WORKDIR':
      return { ...config, workdir: words[0]! };
    case 'ENV':
      return { ...config, env: { ...config.env, ...pairsOf(step) } };
    case 'USER':
      return { ...config, user: words[0]! };
    case 'ENTRYPOINT':
      return { ...config, entrypoint: words };
    case 'CMD':
      return { ...config, command: words };
    case 'EXPOSE':
      return { ...config, ports: words };
    case 'VOLUME':
      return { ...config, volumes: words };
    case 'COPY':
    case 'RUN':
    case 'LABEL':
      return config;
    default:
      throw new Error(`${step.keyword} is not among the steps that this builder carries out`);
  }
}

// ---------------------------------------------------------------- files

/** Mounted from this machine, read-only; in `usr/local`, as in the base image, is what the image may change. */
const systemFolders = ['/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib64', '/usr/share', '/etc'].filter(existsSync);

function layBase(root: string): void {
  for (const at of [...systemFolders, '/usr/local/bin', '/usr/local/lib/node_modules', '/proc', '/dev', '/root', '/opt'])
    mkdirSync(path.join(root, at), { recursive: true });
  for (const at of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${at}`, path.join(root, at));
  for (const device of devices) writeFileSync(path.join(root, 'dev', device), '');
  cpSync(realpathSync(process.execPath), path.join(root, 'usr/local/bin/node'));
  cpSync(npm, path.join(root, 'usr/local/lib/node_modules/npm'), { recursive: true, dereference: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', path.join(root, 'usr/local/bin/npm'));
}

const devices = ['null', 'urandom', 'random', 'zero'];

function copy({ words, flags }: Step, from: string, root: string, workdir: string): void {
  const target = path.join(root, path.resolve(workdir, words.at(-1)!));
  mkdirSync(target, { recursive: true });
  for (const source of words.slice(0, -1)) {
    if (flags.from) execFileSync('cp', ['-a', '--no-preserve=ownership', `${path.join(from, source)}/.`, target]);
    else
      for (const file of contextFiles(from))
        if (source === '.' || file === source) cpSync(path.join(from, file), path.join(target, file));
  }
}

// ---------------------------------------------------------------- processes

/** $1: the root, $2: `uid:gid`, $3: `ro` or `rw`, $4: mounts as lines `SOURCE TARGET MODE`; then the command. */
const LOCK_IN = `
set -e
root=$1 user=$2 mode=$3 mounts=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
echo "$mounts" | while read -r source target flags; do
  mount --bind "$source" "$root$target"
  mount -o "remount,bind,$flags" "$root$target"
done
mount -o "remount,bind,$mode" "$root"
exec chroot --userspec="$user" --groups="\${user#*:}" "$root" "$@"`;

type Mount = readonly [source: string, target: string, mode: 'ro' | 'rw'];

function lockedIn(
  root: string,
  mode: 'ro' | 'rw',
  config: ImageConfig,
  mounts: readonly Mount[],
  command: readonly string[],
): string[] {
  const all: Mount[] = [
    ...systemFolders.map((at): Mount => [at, at, 'ro']),
    ...devices.map((device): Mount => [`/dev/${device}`, `/dev/${device}`, 'rw']),
    ...mounts,
  ];
  const variables = Object.entries(config.env).map(([name, value]) => `${name}=${value}`);
  const lines = all.map(mount => mount.join(' ')).join('\n');
  return ['sh', '-c', LOCK_IN, 'sh', root, config.user, mode, lines, 'env', '-i', '-C', config.workdir, ...variables, ...command];
}

function runStep({ text, flags }: Step, root: string, config: ImageConfig): void {
  const cache = /target=([^,]+)/.exec(flags.mount ?? '')?.[1];
  if (cache) mkdirSync(path.join(root, cache), { recursive: true });
  const mounts: Mount[] = cache ? [[npmCache(), cache, 'rw']] : [];
  const env = { ...outside, ...config.env };
  mkdirSync(path.join(root, config.workdir), { recursive: true });
  const command = lockedIn(root, 'rw', { ...config, env }, mounts, ['/bin/sh', '-c', text]);
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', '-p', '--fork', ...command], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`RUN ${text}\nended with ${status}:\n${stdout}${stderr}`);
}

function npmCache(): string {
  const folder = spawnSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).stdout.trim();
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** How this machine reaches its registry; packages that it has already are not asked for again. */
const outside: Readonly<Record<string, string>> = {
  npm_config_prefer_offline: 'true',
  ...Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      /^(npm_config_registry|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|https?_proxy)$/i.test(name) && value ? [[name, value]] : [],
    ),
  ),
};

async function start(
  root: string,
  config: ImageConfig,
  running: Set<() => void>,
  { command, env, user, mounts = {} }: StartOptions = {},
): Promise<Container> {
  const volumes = config.volumes.map((at): Mount => [freshVolume(path.join(root, at)), at, 'rw']);
  const given = Object.entries(mounts).map(([at, file]): Mount => {
    cpSync(file, path.join(root, at), { recursive: true });
    return [file, at, 'ro'];
  });
  const child = spawn(
    'unshare',
    [
      ...['-m', '-p', '-n', '--fork', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'],
      ...lockedIn(
        root,
        'ro',
        { ...config, user: user ?? config.user, env: { ...config.env, ...env } },
        [...volumes, ...given],
        [...config.entrypoint, ...(command ?? config.command)],
      ),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => said.push(chunk));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  void exited.then(() => {
    for (const [folder] of volumes) rmSync(folder, { recursive: true, force: true });
  });
  const first = await until('the process in the image has begun', () => firstProcess(child));
  // The end of `unshare` would not end it: a process that changes its user is let off that.
  const kill = () => {
    // Once it has ended, its number may be somebody else's.
    if (child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(first, 'SIGKILL');
    } catch {
      // It is ending by itself.
    }
  };
  running.add(kill);
  void exited.then(() => running.delete(kill));
  return {
    logs: () => Buffer.concat(said).toString(),
    exited,
    fetch(url, init) {
      const asked = spawnSync('nsenter', [
        '--target',
        String(first),
        '--net',
        process.execPath,
        '-e',
        FETCH,
        url,
        JSON.stringify(init ?? {}),
      ]);
      if (asked.status !== 0) throw new Error(asked.stderr.toString());
      return JSON.parse(asked.stdout.toString());
    },
    async stop() {
      process.kill(first, 'SIGTERM');
      try {
        return await within(20_000, 'the process in the image ends', exited);
      } finally {
        kill();
      }
    },
  };
}

/** Begins as the folder of the image: empty or not, with its owner and mode. */
function freshVolume(at: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-volume-'));
  execFileSync('cp', ['-a', '--no-preserve=ownership', `${at}/.`, folder]);
  execFileSync('chown', ['--reference', at, folder]);
  execFileSync('chmod', ['--reference', at, folder]);
  return folder;
}

/** Process 1 of the namespace, as this machine numbers it, once `unshare` has forked it. */
function firstProcess({ pid }: ChildProcess): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? undefined : Number(children.split(' ')[0]);
}

const FETCH = `
const [url, init] = process.argv.slice(1);
const answer = await fetch(url, JSON.parse(init));
console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));`;
