// Our CRDs on an API server, as `kubectl apply --server-side -f crds/` puts them there.
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { until } from '#test/support/until.ts';

type Crd = { readonly metadata: { readonly name: string }; readonly status?: { readonly conditions?: readonly Condition[] } };
type Condition = { readonly type: string; readonly status: string };

type Server = {
  apply(path: string, object: unknown): Promise<unknown>;
  call<T>(method: string, path: string): Promise<T>;
  try(method: string, path: string): Promise<{ readonly status: number }>;
};

const COLLECTION = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Resolves when the server serves them. */
export async function applyCrds(server: Server): Promise<void> {
  const crds = await Promise.all(globSync('crds/*.yaml').map(async file => parse(await readFile(file, 'utf8')) as Crd));
  await Promise.all(crds.map(crd => server.apply(`${COLLECTION}/${crd.metadata.name}`, crd)));
  for (const { metadata } of crds) {
    await until(`${metadata.name} is established`, async () => {
      const { status } = await server.call<Crd>('GET', `${COLLECTION}/${metadata.name}`);
      return status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
    });
    const plural = metadata.name.split('.')[0];
    await until(
      `${metadata.name} is served`,
      async () => (await server.try('GET', `/apis/tollgate.dev/v1alpha1/${plural}`)).status === 200,
    );
  }
}
