// The chart as Helm renders it, and what of it processes that stand in for pods are started with.
import { spawn } from 'node:child_process';
import { parseAllDocuments, stringify } from 'yaml';
import { helmPath } from '../../../tools/places.ts';

/** false, or why a test that needs Helm is skipped. */
export const withoutHelm: string | false = helmPath() ? false : 'helm is not on this machine: npm run tools';

export const CHART = 'charts/tollgate';
export const RELEASE = 'tollgate';

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
};

export type Env = {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: { readonly fieldPath: string };
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
  };
};

export type Container = {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly Env[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
};

export type PodSpec = { readonly containers: readonly Container[]; readonly [field: string]: unknown };

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** With what it printed, also where it failed. */
export function run(program: string, args: readonly string[], { input = '', env = {} }: RunOptions = {}): Promise<Ran> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', chunk => out.push(chunk));
  child.stderr.on('data', chunk => err.push(chunk));
  // It may end without having read everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code =>
      resolve({ status: code ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
  });
}

type RunOptions = { readonly input?: string; readonly env?: Readonly<Record<string, string>> };

/** Helm with values on its standard input. Rejects with what it says when it fails. */
export async function helm(args: readonly string[], values: object = {}, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = await run(helmPath()!, [...args, '--values', '-'], {
    input: stringify(values, { version: '1.1' }),
    env,
  });
  if (status !== 0) throw new Error(`helm ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Values that a production installation cannot do without. */
export const stores = { redis: { existingSecret: 'stores' }, postgres: { existingSecret: 'stores' } };

export const template = (namespace: string, values: object = stores, ...flags: readonly string[]): Promise<string> =>
  helm(['template', RELEASE, CHART, '--namespace', namespace, ...flags], values);

export async function rendered(
  namespace: string,
  values: object = stores,
  ...flags: readonly string[]
): Promise<readonly Manifest[]> {
  return parsed(await template(namespace, values, ...flags));
}

export const parsed = (yaml: string): readonly Manifest[] =>
  parseAllDocuments(yaml).flatMap(document => (document.toJS() as Manifest | null) ?? []);

export const isRbac = ({ kind }: Manifest): boolean => kind === 'ServiceAccount' || /Role(Binding)?$/.test(kind);

/** Throws where there is none of the name. */
export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find(manifest => manifest.kind === kind && manifest.metadata.name === name);
  if (!found) throw new Error(`the chart has no ${kind} ${name}`);
  return found;
}

export function podSpec(manifests: readonly Manifest[], deployment: string): PodSpec {
  return (named(manifests, 'Deployment', deployment) as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

export const portOf = ({ ports }: Container, name: string): number => ports.find(port => port.name === name)!.containerPort;

/**
 * The environment that a kubelet would give the container.
 * @param fields by path, as `metadata.name`; one that is missing is empty, as a label is
 * @param secrets by `name/key`; variables of a Secret that is missing are left out
 */
export function environmentOf(
  { env }: Container,
  fields: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  const resolved = env.map(({ name, value, valueFrom }): [string, string | undefined] => {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    if (secretKeyRef) return [name, secrets[`${secretKeyRef.name}/${secretKeyRef.key}`]];
    return [name, fieldRef ? (fields[fieldRef.fieldPath] ?? '') : (value ?? '')];
  });
  return Object.fromEntries(resolved.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
