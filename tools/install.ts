// `npm run tools`: brings what the cluster tests need, says what it does, and does nothing twice.
//   etcd             Debian's package etcd-server
//   kube-apiserver   built from its Go module (tools/kube-apiserver/go.mod); some four minutes on two cores, once per machine
//   kubectl          from the same module, where the machine has none
//   helm             built from its Go module (tools/chart/go.mod); some two minutes
//   kubeconform      from the same module; a second
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import {
  apiServerPath,
  type BuiltProgram,
  etcdPath,
  type GoBuild,
  goBuild,
  goVersion,
  helmPath,
  kubeconformPath,
  kubectlPath,
  onPath,
  toolsFolder,
} from './places.ts';

const missing = [
  bringEtcd(),
  bringBuilt('kube-apiserver', apiServerPath()),
  bringBuilt('kubectl', kubectlPath()),
  bringBuilt('helm', helmPath()),
  bringBuilt('kubeconform', kubeconformPath()),
].filter(problem => problem !== undefined);
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
  const build = goBuild(program);
  const version = goVersion();
  if (!version || version[0] < 1 || (version[0] === 1 && version[1] < build.goMinor)) {
    const found = version ? `Go ${version.join('.')}` : 'no Go';
    return `${program} has to be built with Go >= 1.${build.goMinor}, and there is ${found} on this machine`;
  }
  console.log(`tools: builds ${program} ${build.version}; minutes, the first time`);
  const started = performance.now();
  mkdirSync(toolsFolder, { recursive: true });
  const partial = `${build.output}.${process.pid}`;
  const args = ['build', '-ldflags', `-s -w ${stamps(build)}`, '-o', partial, build.package];
  if (!run(onPath('go')!, args, { cwd: build.folder, env: { CGO_ENABLED: '0' } })) return `${program} could not be built`;
  renameSync(partial, build.output);
  console.log(`tools: built ${path.basename(build.output)} in ${Math.round((performance.now() - started) / 1000)} s`);
  return undefined;
}

/** Kubernetes knows its version from the linker only. */
function stamps({ package: built, version }: GoBuild): string {
  if (!built.startsWith('k8s.io/kubernetes/')) return '';
  const values = { gitVersion: version, gitMajor: '1', gitMinor: version.split('.')[1] };
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
}

function have(program: string, where: string): undefined {
  console.log(`tools: ${program} is there (${where})`);
}

function run(program: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): boolean {
  const env = { ...process.env, ...options.env };
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: options.cwd, env }).status === 0;
}
