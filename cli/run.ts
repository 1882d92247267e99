// `tollgate run`: the gateway without a cluster, from a folder of manifests.
import { access, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { folderConfig, type LoadReport } from '#dataplane/config/folder.ts';
import { keyFiles } from '#dataplane/config/key-files.ts';
import { masterKey } from '#dataplane/config/secrets.ts';
import { type DataPlane, startDataPlane } from '#dataplane/start.ts';
import { onStopSignal } from '#dataplane/stop-signal.ts';
import { systemClock } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import { createLog, type Log } from '#platform/log.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { loadPriceFile } from '#platform/price-file.ts';
import type { Simulator } from '#simulator/index.ts';
import { BadSetting, type Environment, type Settings, settingsOf } from './settings.ts';
import { startupText } from './startup-text.ts';

type Io = { readonly out: (text: string) => void; readonly err: (text: string) => void; readonly env: Environment };

/** The bundled configuration; with no key in the environment its providers are the simulator. */
const BUNDLED = join(import.meta.dirname, '..', 'deploy', 'standalone');

const help = `Usage: tollgate run [--config DIR]

Serves OpenAI- and Anthropic-compatible traffic from a folder of manifests, and watches it: an edit is live in under a second,
a broken one is reported while the last good version stays.

  --config DIR   folder or file of manifests (TOLLGATE_CONFIG; default: the bundled deploy/standalone, where the providers are a
                 simulator as long as no provider key is in the environment)
  --help         this text

Environment: PORT (4000), INTERNAL_PORT (4001), HOST (127.0.0.1), TOLLGATE_DATA (.tollgate: keys that were made here, spool, ledger),
TOLLGATE_MASTER_KEY (made once and kept in TOLLGATE_DATA), DATABASE_URL (the ledger in Postgres), REDIS_URL (counters that several
processes share), ADMIN_ON_PUBLIC (true), LOG_LEVEL (info), and whatever \`$(NAME)\` in a Secret asks for. All of them, with their bounds:
docs/configuration.md.
`;

export async function run(args: string[], io: Io): Promise<number> {
  try {
    const { values } = parseArgs({ args, options: { config: { type: 'string' }, help: { type: 'boolean' } } });
    if (values.help) return say(io.out, help, 0);
    const settings = settingsOf(io.env);
    await serveUntilStopped(settings, values.config ?? (io.env.TOLLGATE_CONFIG || undefined), io);
    return 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isTheirs = error instanceof BadSetting || code?.startsWith('ERR_PARSE_ARGS');
    if (!isTheirs && code === undefined) throw error;
    return say(io.err, `tollgate: ${describe(error as NodeJS.ErrnoException)}\n`, isTheirs ? 2 : 1);
  }
}

const say = (to: (text: string) => void, text: string, code: number): number => {
  to(text);
  return code;
};

function describe(error: NodeJS.ErrnoException & { port?: number }): string {
  if (error.code === 'EADDRINUSE') return `port ${error.port} is taken; set PORT and INTERNAL_PORT to free ones`;
  return error.message;
}

async function serveUntilStopped(settings: Settings, folder: string | undefined, io: Io): Promise<void> {
  const log = await createLog(settings.logLevel);
  const stop = onStopSignal();
  let plane: DataPlane | undefined;
  const reports: LoadReport[] = [];
  // Keys made by the API go into the user's folder; beside the bundled one they have a folder of their own.
  const keysFolder = folder ?? join(settings.dataFolder, 'config');
  // A name that was mistyped would serve nothing, and say nothing.
  if (folder !== undefined) await access(folder);
  if (folder === undefined) await mkdir(keysFolder, { recursive: true });
  const config = await folderConfig({
    paths: folder === undefined ? [BUNDLED, keysFolder] : [folder],
    dataFolder: settings.dataFolder,
    environment: io.env,
    policy: settings.policy,
    catalogue: loadPriceCatalogue,
    ...(await priceFile(io.env)),
    digest: sha256,
    now: systemClock.now,
    ...(folder === undefined && { simulator: startSimulator }),
    onLoad: report => {
      reports[0] = report;
      logLoad(log, report);
      plane && noteLoad(plane, report);
    },
    onFailure: ({ message }) => log.error(`configuration: ${message}; what was in force stays, and this is tried again`),
  });
  try {
    const key = io.env.TOLLGATE_MASTER_KEY || (await masterKey(settings.dataFolder));
    const keys = keyFiles({ config, folder: await folderOf(keysFolder), now: systemClock.now });
    plane = await startDataPlane({ ...settings, config, keys, log, masterKey: key });
    noteLoad(plane, reports[0]!);
    io.out(
      startupText({
        ...settings,
        port: plane.port,
        internalPort: plane.internalPort,
        config,
        report: reports[0]!,
        masterKey: io.env.TOLLGATE_MASTER_KEY ? undefined : key,
      }),
    );
    await stop.drained(log, settings.drainMs, plane);
  } finally {
    await plane?.close();
    await config.close();
  }
}

/** Where keys can be written; a single file of manifests is no place for more. */
const folderOf = async (path: string): Promise<string | undefined> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ? path : undefined;

async function priceFile(env: Environment) {
  const path = env.TOLLGATE_PRICE_FILE;
  if (!path) return {};
  const file = loadPriceFile(await readFile(path, 'utf8'), sha256);
  if (!file) throw new BadSetting(`TOLLGATE_PRICE_FILE: ${path} is not a price list in LiteLLM's format`);
  return { priceFile: file };
}

async function startSimulator(): Promise<Simulator> {
  const simulator = await import('#simulator/index.ts');
  return simulator.startSimulator({ host: '127.0.0.1', port: 0 });
}

function logLoad(log: Log, { generation, errors, verdicts, kept }: LoadReport): void {
  for (const { file, line, message } of errors) log.error({ file, line }, `configuration: ${message}`);
  for (const verdict of verdicts) {
    const { kind, namespace, name, file, sound, problems, notInForce } = verdict;
    const object = `${kind} ${namespace}/${name}`;
    for (const { path, line, message } of problems)
      log[sound ? 'warn' : 'error']({ object, file, line, field: path }, `configuration: ${message}`);
    if (notInForce.length > 0) log.warn({ object, file, fields: notInForce }, 'configuration: fields that are not in force yet');
  }
  for (const object of kept) log.warn({ object }, 'configuration: its last good version stays in force');
  const live = verdicts.filter(v => v.live).length;
  log.info({ generation, objects: verdicts.length, live }, 'configuration loaded');
}

function noteLoad({ metrics }: DataPlane, { generation, verdicts, errors }: LoadReport): void {
  metrics.generation.set(generation);
  metrics.unsound.set(verdicts.filter(v => !v.sound).length + errors.length);
}
