// One real vLLM server as a process group of its own: an API server, its EngineCore, and that one's worker.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import path from 'node:path';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';
import { modelFolder, python } from './install.ts';

/** On two cores that are busy otherwise it is ready in a minute. */
const READY_DEADLINE_MS = 300_000;

export type VllmReplica = {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly logs: () => string;
  /** To the process that does the work, not to the one that speaks HTTP. */
  readonly signalEngineCore: (signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL') => void;
  readonly stop: () => Promise<void>;
};

export async function startReplica(maxNumSeqs: number): Promise<VllmReplica> {
  const port = await freePort();
  const options = {
    model: modelFolder,
    'load-format': 'dummy',
    'served-model-name': 'tiny',
    host: '127.0.0.1',
    port,
    'max-model-len': 1024,
    'max-num-seqs': maxNumSeqs,
    dtype: 'float32',
  };
  const child = spawn(
    python,
    [
      '-m',
      'vllm.entrypoints.openai.api_server',
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      '--enforce-eager',
    ],
    {
      detached: true,
      cwd: path.dirname(modelFolder),
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        VLLM_CPU_KVCACHE_SPACE: '1',
        // Each replica would take the same core otherwise.
        VLLM_CPU_OMP_THREADS_BIND: 'nobind',
        OMP_NUM_THREADS: '1',
        HF_HUB_OFFLINE: '1',
        VLLM_NO_USAGE_STATS: '1',
      },
    },
  );
  // On the same few cores: an engine's busy loops would starve the gateway, which has machines of its own in the field.
  setPriority(child.pid!, 10);
  const output: Buffer[] = [];
  child.stdout.on('data', chunk => output.push(chunk));
  child.stderr.on('data', chunk => output.push(chunk));
  const logs = () => Buffer.concat(output).toString();
  const origin = `http://127.0.0.1:${port}`;
  const stop = () => ended(child);
  try {
    await until('vLLM is ready', () => isReady(origin, child), READY_DEADLINE_MS);
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
  } catch (error) {
    await stop();
    throw new Error(`vLLM did not become ready. Its output ends with:\n${logs().slice(-4000)}`, { cause: error });
  }
  return { origin, logs, stop, signalEngineCore: signal => void process.kill(engineCoreOf(child.pid!), signal) };
}

async function isReady(origin: string, child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null) return true;
  return (await fetch(`${origin}/health`)).status === 200;
}

/** By the group that the replica was started in. */
function engineCoreOf(group: number): number {
  for (const file of globSync('/proc/[0-9]*/stat')) {
    try {
      const stat = readFileSync(file, 'utf8');
      // pid (name) state ppid pgrp
      const [, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const name = readFileSync(path.join(path.dirname(file), 'cmdline'), 'utf8');
      if (Number(processGroup) === group && name.startsWith('VLLM::EngineCore')) return Number(stat.split(' ', 1)[0]);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`there is no EngineCore in the process group ${group}`);
}

/** The whole group: a worker outlives an EngineCore that was killed. */
async function ended(child: ChildProcess): Promise<void> {
  const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
  await exited;
}
