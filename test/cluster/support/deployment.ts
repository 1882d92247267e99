// Tollgate in a cluster, as processes: an operator, and data-plane pods that each have an address of their own. Service accounts, roles,
// commands, environments and ports are those of the chart. What a kubelet and a controller manager would do, the EndpointSlice of the
// pods that are ready, is done here.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { until, within } from '#test/support/until.ts';
import type { ApiServer } from './api-server.ts';
import { type Container, environmentOf, isRbac, type Manifest, podSpec, portOf, rendered, stores } from './chart.ts';
import { ownNetwork } from './network.ts';
import { ended } from './process.ts';

const root = path.join(import.meta.dirname, '..', '..', '..');
export const SYSTEM = 'tollgate-system';
/** Headless, of the chart. */
const DATA_PLANE_SERVICE = 'tollgate-dataplane';
export const MASTER_KEY = 'sk-master-00112233445566778899aabbccddeeff';
const SECRETS: Secrets = { 'tollgate-master-key/TOLLGATE_MASTER_KEY': MASTER_KEY };
const READY_MS = 120_000;
/** Of the operator in the network of the test; pods come after it. */
const OPERATOR_ADDRESS = 10;

export type Process = {
  readonly child: ChildProcess;
  readonly logs: () => string;
  stop(): Promise<void>;
  kill(): Promise<void>;
};

export type Pod = Process & {
  readonly name: string;
  readonly address: string;
  readonly url: string;
  readonly internalUrl: string;
  configz(): Promise<{ readonly generation: number; readonly lastError?: string }>;
};

/** What environments name, by `secret/key`. */
type Secrets = Readonly<Record<string, string>>;

export type DeploymentOptions = {
  readonly server: ApiServer;
  readonly pods: number;
  /** Namespaces that are looked after, with roles for these alone. Default: all. */
  readonly watchNamespaces?: readonly string[];
  readonly operatorEnv?: Readonly<Record<string, string>>;
  readonly podEnv?: Readonly<Record<string, string>>;
};

export class Deployment {
  readonly #options: DeploymentOptions;
  readonly #folder: string;
  readonly pods: Pod[] = [];
  operator: Process | undefined;
  #podToken: string | undefined;
  readonly #operator: Container;
  readonly #dataPlane: Container;
  readonly #secrets: Secrets;

  constructor(options: DeploymentOptions, chart: readonly Manifest[], folder: string, secrets: Secrets = SECRETS) {
    this.#options = options;
    this.#folder = folder;
    this.#secrets = secrets;
    this.#operator = podSpec(chart, 'tollgate-operator').containers[0]!;
    this.#dataPlane = podSpec(chart, 'tollgate-dataplane').containers[0]!;
  }

  get operatorUrl(): string {
    return `http://${ownNetwork!.address(OPERATOR_ADDRESS)}:${portOf(this.#operator, 'internal')}`;
  }

  async startOperator(): Promise<Process> {
    this.operator = await this.startOperatorAt(OPERATOR_ADDRESS);
    return this.operator;
  }

  /** Beside the first: one of them leads. @param index of an address in the network of the test. The caller ends it */
  async startOperatorAt(index: number): Promise<Process> {
    const { server, operatorEnv } = this.#options;
    const { inCluster } = await server.access(await server.serviceAccountToken(SYSTEM, 'tollgate-operator'));
    const host = ownNetwork!.address(index);
    const operator = started(this.#operator, {
      ...inCluster,
      ...environmentOf(this.#operator, { 'metadata.namespace': SYSTEM, 'metadata.name': `operator-${index}` }, this.#secrets),
      HOST: host,
      ...operatorEnv,
    });
    const ready = `http://${host}:${portOf(this.#operator, 'internal')}/readyz`;
    await alive('the operator', operator, async () => (await fetch(ready)).status === 200);
    return operator;
  }

  /** Resolves when it is ready; then it is in the Service. @param release folder of its sources */
  async startPod(index: number, release: string = root): Promise<Pod> {
    const { podEnv } = this.#options;
    const inCluster = await this.#podAccess();
    const address = ownNetwork!.address(OPERATOR_ADDRESS + 1 + index);
    const name = `pod-${index}`;
    const fields = { 'metadata.namespace': SYSTEM, 'metadata.name': name };
    const env = {
      ...inCluster,
      ...environmentOf(this.#dataPlane, fields, this.#secrets),
      // There are no volumes here and no names of Services.
      TOLLGATE_DATA: path.join(this.#folder, name),
      CONFIG_MOUNT: '',
      OPERATOR_URL: this.operatorUrl,
      HOST: address,
      ...podEnv,
    };
    const process = started(this.#dataPlane, env, release);
    const [url, internalUrl] = ['http', 'internal'].map(port => `http://${address}:${portOf(this.#dataPlane, port)}`) as [
      string,
      string,
    ];
    const configz = async () => (await (await fetch(`${internalUrl}/configz`)).json()) as Awaited<ReturnType<Pod['configz']>>;
    const pod: Pod = { ...process, name, address, url, internalUrl, configz };
    await alive(name, pod, async () => (await fetch(`${internalUrl}/readyz`)).status === 200);
    this.pods[index] = pod;
    return pod;
  }

  /** While the API server is away as well: a pod's token is in a volume. */
  async #podAccess(): Promise<Readonly<Record<string, string>>> {
    const { server } = this.#options;
    this.#podToken ??= await server.serviceAccountToken(SYSTEM, 'tollgate-dataplane');
    return (await server.access(this.#podToken)).inCluster;
  }

  /** As the control plane does it when pods become ready or go. */
  async announce(pods: readonly Pod[] = this.pods): Promise<void> {
    const name = `${DATA_PLANE_SERVICE}-1`;
    await this.#options.server.apply(`/apis/discovery.k8s.io/v1/namespaces/${SYSTEM}/endpointslices/${name}`, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace: SYSTEM, labels: { 'kubernetes.io/service-name': DATA_PLANE_SERVICE } },
      addressType: 'IPv4',
      endpoints: pods.map(({ name, address }) => ({
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', name, namespace: SYSTEM },
      })),
      ports: [{ name: 'internal', port: portOf(this.#dataPlane, 'internal'), protocol: 'TCP' }],
    });
  }

  logs(): string {
    return [`operator:\n${this.operator?.logs()}`, ...this.pods.map(({ name, logs }) => `${name}:\n${logs()}`)].join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all([this.operator, ...this.pods].map(process => process?.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The status of a small question. */
export async function askPod({ url }: Pod, model: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** An operator that leads, and pods that are ready and announced. */
export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  await options.server.namespace(SYSTEM);
  const chart = await rendered(SYSTEM, { ...stores, operator: { watchNamespaces: options.watchNamespaces ?? [] } });
  for (const manifest of chart.filter(isRbac)) await options.server.apply(rbacPath(manifest), manifest);
  return running(options, chart);
}

/** The same for what somebody else installs: its Deployments and Secrets are waited for and taken as the API server has them. */
export async function deployInstalled(options: DeploymentOptions, deadlineMs: number): Promise<Deployment> {
  const { server } = options;
  const read = async (urlPath: string): Promise<Manifest | undefined> => {
    const { status, body } = await server.try('GET', urlPath);
    return status === 200 ? (body as unknown as Manifest) : undefined;
  };
  const deployments = await until(
    'operator and data plane are installed',
    async () => {
      const names = ['tollgate-operator', 'tollgate-dataplane'];
      const found = await Promise.all(names.map(name => read(`/apis/apps/v1/namespaces/${SYSTEM}/deployments/${name}`)));
      return found.every(deployment => deployment !== undefined) && found;
    },
    deadlineMs,
  );
  const containers = deployments.flatMap(({ metadata }) => podSpec(deployments, metadata.name).containers);
  const names = containers.flatMap(({ env }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.name ?? []));
  const secrets = await Promise.all(
    [...new Set(names)].map(async name => {
      const { data = {} } = ((await read(`/api/v1/namespaces/${SYSTEM}/secrets/${name}`)) ?? {}) as { data?: Secrets };
      return Object.entries(data).map(([key, value]): [string, string] => [`${name}/${key}`, atob(value)]);
    }),
  );
  return running(options, deployments, Object.fromEntries(secrets.flat()));
}

async function running(options: DeploymentOptions, manifests: readonly Manifest[], secrets?: Secrets): Promise<Deployment> {
  const folder = await mkdtemp(path.join(options.server.folder, 'deployment-'));
  const deployment = new Deployment(options, manifests, folder, secrets);
  try {
    await deployment.startOperator();
    await Promise.all(Array.from({ length: options.pods }, (_, index) => deployment.startPod(index)));
    await deployment.announce();
  } catch (error) {
    await deployment.stop();
    throw new Error(`${(error as Error).message}\n${deployment.logs()}`, { cause: error });
  }
  return deployment;
}

export function rbacPath({ apiVersion, kind, metadata: { namespace, name } }: Manifest): string {
  const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase()}s/${name}`;
}

function started({ args, name }: Container, env: Readonly<Record<string, string>>, folder: string = root): Process {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: 'node_modules/.cache/compile', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout!.on('data', chunk => chunks.push(chunk));
  child.stderr!.on('data', chunk => chunks.push(chunk));
  return {
    child,
    logs: () => Buffer.concat(chunks).toString(),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await within(20_000, `${name} stops`, exit);
    },
    kill: () => ended(child),
  };
}

async function alive(name: string, { child, logs, kill }: Process, isReady: () => Promise<boolean>): Promise<void> {
  try {
    await until(
      `${name} is ready`,
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) return 'ended' as const;
        return isReady();
      },
      READY_MS,
    );
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
  } catch (error) {
    await kill();
    throw new Error(`${name} did not become ready. Its output:\n${logs()}`, { cause: error });
  }
}
