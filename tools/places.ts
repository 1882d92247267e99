// What the cluster tests need on the machine, where it is kept, and what is missing. Programs that are built here live outside the
// tree, so that a fresh clone on the same machine finds them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export const goModule = path.join(import.meta.dirname, 'kube-apiserver');

/** The module's own version of Kubernetes, as `v1.34.10`. */
export const kubernetesVersion: string = /k8s\.io\/kubernetes (v[\d.]+)/.exec(
  readFileSync(path.join(goModule, 'go.mod'), 'utf8'),
)![1]!;

export const toolsFolder: string =
  process.env.TOLLGATE_TOOLS ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'tollgate', 'tools');

export type BuiltProgram = 'kube-apiserver' | 'kubectl';

export const builtPath = (program: BuiltProgram): string => path.join(toolsFolder, `${program}-${kubernetesVersion}`);

/** A program on PATH, or undefined. Debian puts servers where a user's PATH does not look. */
export function onPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/local/go/bin', '/usr/bin', '/usr/sbin'];
  return folders.map(folder => path.join(folder, program)).find(isExecutable);
}

export const etcdPath = (): string | undefined => onPath('etcd');
export const apiServerPath = (): string | undefined => existing(builtPath('kube-apiserver'));
export const kubectlPath = (): string | undefined => existing(builtPath('kubectl')) ?? onPath('kubectl');

/** Go's version as [1, 26], or undefined where there is none. */
export function goVersion(): readonly [major: number, minor: number] | undefined {
  const go = onPath('go');
  const found = go && /go(\d+)\.(\d+)/.exec(spawnSync(go, ['env', 'GOVERSION'], { encoding: 'utf8' }).stdout);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

const existing = (file: string): string | undefined => (existsSync(file) ? file : undefined);

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
