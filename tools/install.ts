// `npm run tools`: brings what the cluster tests need, says what it does, and does nothing twice.
//   etcd             Debian's package etcd-server
//   kube-apiserver   built from its Go module (tools/kube-apiserver/go.mod); some four minutes on two cores, once per machine
//   kubectl          from the same module, where the machine has none
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import {
  apiServerPath,
  type BuiltProgram,
  builtPath,
  etcdPath,
  goModule,
  goVersion,
  kubectlPath,
  kubernetesVersion,
  onPath,
  toolsFolder,
} from './places.ts';

/** What go.mod says is needed to build it. */
const GO_MINOR = 24;

const missing = [bringEtcd(), bringBuilt('kube-apiserver', apiServerPath()), bringBuilt('kubectl', kubectlPath())].filter(
  problem => problem !== undefined,
);
for (const problem of missing) console.error(`tools: ${problem}`);
process.exitCode = missing.length > 0 ? 1 : 0;

/** What stands in the way, or undefined. */
function bringEtcd(): string | undefined {
  const there = etcdPath();
  if (there) return have('etcd', there);
  const asRoot = process.getuid?.() === 0 && onPath('apt-get') !== undefined;
  if (!asRoot) return 'etcd is missing: install the package etcd-server (Debian, Ubuntu), or put an etcd on PATH';
  console.log('tools: installs etcd-server with apt-get');
  run('apt-get', ['update', '-qq']);
  // Debian starts what it installs; the run level of no service keeps it from that.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'etcd-server'], { env });
  return etcdPath() ? undefined : 'apt-get installed no etcd';
}

function bringBuilt(program: BuiltProgram, there: string | undefined): string | undefined {
  if (there) return have(program, there);
  const version = goVersion();
  if (!version || version[0] < 1 || (version[0] === 1 && version[1] < GO_MINOR)) {
    const found = version ? `Go ${version.join('.')}` : 'no Go';
    return `${program} has to be built with Go >= 1.${GO_MINOR}, and there is ${found} on this machine`;
  }
  console.log(`tools: builds ${program} ${kubernetesVersion}; minutes, the first time`);
  const started = performance.now();
  mkdirSync(toolsFolder, { recursive: true });
  const whole = builtPath(program);
  const partial = `${whole}.${process.pid}`;
  const [, minor] = kubernetesVersion.split('.');
  const stamp = { gitVersion: kubernetesVersion, gitMajor: '1', gitMinor: minor };
  const flags = Object.entries(stamp).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const args = ['build', '-ldflags', `-s -w ${flags.join(' ')}`, '-o', partial, `k8s.io/kubernetes/cmd/${program}`];
  if (!run(onPath('go')!, args, { cwd: goModule, env: { CGO_ENABLED: '0' } })) return `${program} could not be built`;
  renameSync(partial, whole);
  console.log(`tools: built ${path.basename(whole)} in ${Math.round((performance.now() - started) / 1000)} s`);
  return undefined;
}

function have(program: string, where: string): undefined {
  console.log(`tools: ${program} is there (${where})`);
}

function run(program: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): boolean {
  const env = { ...process.env, ...options.env };
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: options.cwd, env }).status === 0;
}
