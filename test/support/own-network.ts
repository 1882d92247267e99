// A network namespace for a whole test run: the loopback device and 200 addresses of pods, and nothing else. What a test starts there
// is reachable from there only.
import { spawnSync } from 'node:child_process';

const SET_UP = `
ip link set lo up
ip link add pods type veth peer name peers
ip link set pods up && ip link set peers up
for n in $(seq 1 200); do echo "address add 10.250.0.$n/24 dev pods"; done | ip -batch -
exec "$@"`;

/** Runs this process's command line again inside of one and ends with its status; returns where that is done, or cannot be. */
export function enterOwnNetwork(): void {
  if (process.env.TOLLGATE_OWN_NETWORK) return;
  const unshare = process.getuid?.() === 0 ? ['unshare', '-n'] : ['unshare', '-rn'];
  const works = spawnSync(unshare[0]!, [...unshare.slice(1), 'ip', 'link', 'set', 'lo', 'up']).status === 0;
  if (!works) {
    console.log('There is no network namespace to be had here: what needs one is skipped.');
    return;
  }
  const command = [
    ...unshare.slice(1),
    'sh',
    '-ec',
    SET_UP,
    'sh',
    process.execPath,
    ...process.execArgv,
    ...process.argv.slice(1),
  ];
  const { status } = spawnSync(unshare[0]!, command, { stdio: 'inherit', env: { ...process.env, TOLLGATE_OWN_NETWORK: '1' } });
  process.exit(status ?? 1);
}
