// A real API server for a test: kube-apiserver over an etcd of its own, on free ports, with RBAC, audit log and our CRDs. It can be
// killed and started again where it was, as long as its etcd lives.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Agent, request } from 'undici';
import { selfSigned } from '#test/support/certificate.ts';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';
import { apiServerPath, etcdPath, helmPath } from '../../../tools/places.ts';
import { applyCrds } from './crds.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import { ownNetwork } from './network.ts';
import { ended } from './process.ts';

/** false, or why a test that needs an API server is skipped. */
export const withoutApiServer: string | false =
  etcdPath() && apiServerPath() && helmPath() ? false : 'etcd, kube-apiserver or helm is not on this machine: npm run tools';

export type ApiServerOptions = {
  /** More flags, as `{'min-request-timeout': '5'}`. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Other than none: for tests that need only what Kubernetes itself has. */
  readonly crds?: boolean;
};

export type AuditLine = {
  readonly auditID: string;
  readonly stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly name?: string;
    readonly namespace?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code: number };
};

/** How to reach it: with a kubeconfig, or as a pod would. */
export type Access = {
  readonly kubeconfig: string;
  /** A pod's service account folder and the variables that name the server. */
  readonly inCluster: Readonly<Record<string, string>>;
};

const ADMIN_TOKEN = 'admin-token-of-a-test';
const POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules: [
    { level: 'Metadata', verbs: ['watch'], omitStages: ['RequestReceived'] },
    { level: 'Metadata', omitStages: ['RequestReceived', 'ResponseStarted'] },
  ],
};

export class ApiServer {
  readonly port: number;
  readonly etcd: Etcd;
  readonly folder: string;
  /** 127.0.0.1, or the first address of the test's own network. */
  readonly host: string;
  readonly #flags: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #agent: Agent | undefined;

  constructor(port: number, etcd: Etcd, folder: string, flags: Readonly<Record<string, string>>) {
    this.port = port;
    this.etcd = etcd;
    this.folder = folder;
    this.host = ownNetwork?.address(0) ?? '127.0.0.1';
    this.#flags = flags;
  }

  get url(): string {
    return `https://${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Also after `kill`. Resolves when it is ready. */
  async start(): Promise<void> {
    const inFolder = (name: string): string => path.join(this.folder, name);
    const flags = {
      'etcd-servers': this.etcd.url,
      'cert-dir': this.folder,
      'tls-cert-file': inFolder('tls.crt'),
      'tls-private-key-file': inFolder('tls.key'),
      'secure-port': String(this.port),
      'bind-address': '0.0.0.0',
      'advertise-address': this.host === '127.0.0.1' ? '10.250.0.1' : this.host,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': inFolder('sa.pub'),
      'service-account-signing-key-file': inFolder('sa.key'),
      'authorization-mode': 'RBAC',
      'token-auth-file': inFolder('tokens.csv'),
      'service-cluster-ip-range': '10.96.0.0/16',
      'endpoint-reconciler-type': 'none',
      'disable-admission-plugins': 'ServiceAccount',
      'audit-policy-file': inFolder('audit.yaml'),
      'audit-log-path': inFolder('audit.log'),
      ...this.#flags,
    };
    const log = openSync(inFolder('api-server.log'), 'a');
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#process = spawn(apiServerPath()!, args, { stdio: ['ignore', log, log] });
    await this.#ready();
  }

  /** At once, as if its machine had failed. */
  async kill(): Promise<void> {
    await ended(this.#process!);
  }

  pause(): void {
    this.#process!.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.kill('SIGCONT');
  }

  /** As admin, unless `as` names a user to impersonate. Rejects with the server's message when it refuses. */
  async call<T = unknown>(
    method: string,
    urlPath: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const answer = await this.try(method, urlPath, body, headers);
    if (answer.status >= 400) throw new Error(`${method} ${urlPath}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  async try(
    method: string,
    urlPath: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: { message?: string } }> {
    this.#agent ??= new Agent({ connect: { rejectUnauthorized: false }, connections: 8 });
    const answer = await request(`${this.url}${urlPath}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: text.startsWith('{') ? JSON.parse(text) : { message: text } };
  }

  /** As `kubectl apply --server-side`: creates or changes the object. */
  async apply(urlPath: string, object: unknown, query = ''): Promise<unknown> {
    return this.call('PATCH', `${urlPath}?fieldManager=test&force=true${query}`, object, {
      'content-type': 'application/apply-patch+yaml',
    });
  }

  /** How a user reaches it whose token is in tokens.csv, directly or through a proxy in front. */
  async access(token: string = ADMIN_TOKEN, port: number = this.port): Promise<Access> {
    const folder = await mkdtemp(path.join(this.folder, 'access-'));
    const inFolder = (name: string): string => path.join(folder, name);
    const ca = await readFile(path.join(this.folder, 'tls.crt'), 'utf8');
    const host = port === this.port ? this.host : '127.0.0.1';
    const kubeconfig = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: `https://${host}:${port}`, 'certificate-authority-data': btoa(ca) } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
      'current-context': 'test',
    };
    await Promise.all([
      writeFile(inFolder('kubeconfig'), JSON.stringify(kubeconfig)),
      writeFile(inFolder('ca.crt'), ca),
      writeFile(inFolder('token'), token),
      writeFile(inFolder('namespace'), 'default'),
    ]);
    return {
      kubeconfig: inFolder('kubeconfig'),
      inCluster: {
        KUBERNETES_SERVICE_HOST: host,
        KUBERNETES_SERVICE_PORT: String(port),
        KUBERNETES_SERVICE_ACCOUNT_DIR: folder,
      },
    };
  }

  /** A token of a service account, as a pod would have it. */
  async serviceAccountToken(namespace: string, name: string): Promise<string> {
    await this.apply(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace },
    });
    const { status } = await this.call<{ status: { token: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    );
    return status.token;
  }

  async namespace(name: string): Promise<void> {
    await this.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }

  /** Every request that was answered so far, oldest first. */
  async audit(): Promise<AuditLine[]> {
    return (await this.#auditLines()).filter(({ stage }) => stage === 'ResponseComplete');
  }

  /** The watches that are open now. */
  async openWatches(): Promise<AuditLine[]> {
    const lines = (await this.#auditLines()).filter(({ verb }) => verb === 'watch');
    const ended = new Set(lines.flatMap(({ auditID, stage }) => (stage === 'ResponseStarted' ? [] : auditID)));
    return lines.filter(({ auditID, stage }) => stage === 'ResponseStarted' && !ended.has(auditID));
  }

  async #auditLines(): Promise<AuditLine[]> {
    const text = await readFile(path.join(this.folder, 'audit.log'), 'utf8');
    const lines = text.split('\n').filter(line => line !== '');
    return lines.map(line => JSON.parse(line) as AuditLine);
  }

  async stop(): Promise<void> {
    await this.#agent?.destroy();
    if (this.#process) await ended(this.#process);
    await this.etcd.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const started = this.#process!;
    await until(
      'the API server is ready',
      async () => {
        if (started.exitCode === null) return (await this.try('GET', '/readyz')).status === 200;
        throw new Error(await readFile(path.join(this.folder, 'api-server.log'), 'utf8'));
      },
      120_000,
    );
  }
}

export async function startApiServer({ flags = {}, crds = true }: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tollgate-api-server-'));
  const { key, cert } = selfSigned('127.0.0.1', ownNetwork?.address(0) ?? 'localhost', 'kubernetes.default.svc');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const files = {
    'tls.key': key,
    'tls.crt': cert,
    'sa.pub': publicKey,
    'sa.key': privateKey,
    'tokens.csv': `${ADMIN_TOKEN},admin,admin,"system:masters"\n`,
    'audit.yaml': JSON.stringify(POLICY),
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(path.join(folder, name), text)));
  const server = new ApiServer(await freePort(), await startEtcd(), folder, flags);
  try {
    await server.start();
    if (crds) await applyCrds(server);
  } catch (error) {
    // Else it would go on, and the test with it.
    await server.stop();
    throw error;
  }
  return server;
}
