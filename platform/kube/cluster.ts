// Where the API server is and how this process proves who it is: a pod's service account, or a kubeconfig.
// In a pod that is a file of three lines' reading. `@kubernetes/client-node` is loaded for kubeconfigs only, whose many ways of
// authentication (exec, OIDC, certificates) it knows: it costs 70 MB of memory and a second of start (docs/decisions).
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';

export type TlsOptions = {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
};

export type Credentials = { readonly tls: TlsOptions; readonly headers: Readonly<Record<string, string>> };

export type Cluster = {
  readonly server: URL;
  /** Of the pod or of the kubeconfig's context. */
  readonly namespace: string;
  /** As they are now: tokens are replaced while a process lives. */
  credentials(): Promise<Credentials>;
};

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** `KUBECONFIG` wins over the pod's own service account, as with kubectl. `KUBERNETES_SERVICE_ACCOUNT_DIR` is for tests. */
export function clusterOf(env: NodeJS.ProcessEnv): Promise<Cluster> {
  return env.KUBERNETES_SERVICE_HOST && !env.KUBECONFIG ? ownCluster(env) : clusterOfKubeconfig();
}

async function ownCluster(env: NodeJS.ProcessEnv): Promise<Cluster> {
  const folder = env.KUBERNETES_SERVICE_ACCOUNT_DIR ?? SERVICE_ACCOUNT_DIR;
  const text = async (name: string): Promise<string> => (await readFile(path.join(folder, name), 'utf8')).trim();
  const host = env.KUBERNETES_SERVICE_HOST!;
  const tls = { ca: await text('ca.crt') };
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT ?? '443'}`),
    namespace: await text('namespace'),
    credentials: async () => ({ tls, headers: { authorization: `Bearer ${await text('token')}` } }),
  };
}

async function clusterOfKubeconfig(): Promise<Cluster> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config: KubeConfig = new Config();
  config.loadFromDefault();
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('the kubeconfig has no current context, or its cluster is missing');
  if (cluster.proxyUrl) throw new Error('the kubeconfig asks for a proxy (proxy-url), which is not supported');
  return {
    server: new URL(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    async credentials() {
      const options: HttpsOptions = {};
      await config.applyToHTTPSOptions(options as never);
      const { ca, cert, key, servername, rejectUnauthorized, headers, auth } = options;
      return {
        tls: withoutUndefined({ ca, cert, key, servername, rejectUnauthorized }),
        headers: {
          ...(auth !== undefined && { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }),
          ...lowerCased(headers ?? {}),
        },
      };
    },
  };
}

/** What `applyToHTTPSOptions` fills in. */
type HttpsOptions = {
  -readonly [option in keyof TlsOptions]?: NonNullable<TlsOptions[option]>;
} & { headers?: Record<string, unknown>; auth?: string };

const lowerCased = (headers: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));

const withoutUndefined = <T extends object>(of: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as never;
