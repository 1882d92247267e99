// What the cluster tests need on the machine, where it is kept, and what is missing. Programs that are built here live outside the
// tree, so that a fresh clone on the same machine finds them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export const toolsFolder: string =
  process.env.TOLLGATE_TOOLS ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'tollgate', 'tools');

/** What `go build` makes a program of. */
type Source = {
  /** Folder beside this file with the go.mod that pins it. */
  readonly folder: 'kube-apiserver' | 'chart';
  readonly module: string;
  /** In that module. */
  readonly package: string;
};

const kubernetes = { folder: 'kube-apiserver', module: 'k8s.io/kubernetes' } as const;

const sources = {
  'kube-apiserver': { ...kubernetes, package: 'cmd/kube-apiserver' },
  kubectl: { ...kubernetes, package: 'cmd/kubectl' },
  helm: { folder: 'chart', module: 'helm.sh/helm/v4', package: 'cmd/helm' },
  kubeconform: { folder: 'chart', module: 'github.com/yannh/kubeconform', package: 'cmd/kubeconform' },
} as const satisfies Record<string, Source>;

export type BuiltProgram = keyof typeof sources;

export type GoBuild = {
  /** Where the go.mod is. */
  readonly folder: string;
  readonly package: string;
  /** As `v1.34.10`. */
  readonly version: string;
  /** The minor version of Go that the go.mod asks for. */
  readonly goMinor: number;
  /** The file that is made. */
  readonly output: string;
};

export function goBuild(program: BuiltProgram): GoBuild {
  const { folder, module, package: within } = sources[program];
  const goMod = readFileSync(path.join(import.meta.dirname, folder, 'go.mod'), 'utf8');
  const line = goMod.split('\n').find(text => new RegExp(`^(require)?\\s*${module} v`).test(text))!;
  const version = /v[\d.]+/.exec(line.slice(line.indexOf(`${module} `) + module.length))![0];
  return {
    folder: path.join(import.meta.dirname, folder),
    package: `${module}/${within}`,
    version,
    goMinor: Number(/^go 1\.(\d+)/m.exec(goMod)![1]),
    output: path.join(toolsFolder, `${program}-${version}`),
  };
}

/** A program on PATH, or undefined. Debian puts servers where a user's PATH does not look. */
export function onPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/local/go/bin', '/usr/bin', '/usr/sbin'];
  return folders.map(folder => path.join(folder, program)).find(isExecutable);
}

export const etcdPath = (): string | undefined => onPath('etcd');
export const apiServerPath = (): string | undefined => existing(goBuild('kube-apiserver').output);
export const kubectlPath = (): string | undefined => existing(goBuild('kubectl').output) ?? onPath('kubectl');
/** Not one on PATH: what charts look like differs between versions. */
export const helmPath = (): string | undefined => existing(goBuild('helm').output);
export const kubeconformPath = (): string | undefined => existing(goBuild('kubeconform').output);

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
