// The client on a real API server: each call, and each way to be refused.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clusterOf } from '#platform/kube/cluster.ts';
import { connectTo } from '#platform/kube/connection.ts';
import { differences } from '#platform/kube/diff.ts';
import { isKubeError, type KubeErrorKind } from '#platform/kube/errors.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type ConfigMap, configMap, configMaps, type Kube, kubeOf } from './support/kube.ts';

const refused = (kind: KubeErrorKind) => (error: unknown) => isKubeError(error, kind);

describe('the client', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  let kube: Kube;
  before(async () => {
    // Else the server answers the rest of a list from a snapshot of its own, whatever etcd has forgotten.
    server = await startApiServer({ crds: false, flags: { 'feature-gates': 'ListFromCacheSnapshot=false' } });
    kube = await kubeOf(await server.access());
  });
  after(async () => {
    await kube?.client.close();
    await server?.stop();
  });

  test('creates, reads, replaces, patches and deletes', async () => {
    const { client } = kube;
    const name = { namespace: 'default', name: 'one' };
    const made = await client.create(configMaps, configMap('one', { a: '1' }));
    assert.deepEqual((await client.get<ConfigMap>(configMaps, name)).data, { a: '1' });
    const replaced = await client.replace<ConfigMap>(configMaps, { ...made, data: { a: '2' } });
    assert.deepEqual(replaced.data, { a: '2' });
    const patched = await client.patch<ConfigMap>(configMaps, name, { data: { b: '3' } }, { fieldManager: 'test' });
    assert.deepEqual(patched.data, { a: '2', b: '3' });
    await client.delete(configMaps, name, { preconditions: { uid: made.metadata.uid! } });
    assert.equal(await client.find(configMaps, name), undefined);
    await client.delete(configMaps, name);
  });

  test('says what kind of no it was', async () => {
    const { client } = kube;
    const name = { namespace: 'default', name: 'two' };
    await assert.rejects(client.get(configMaps, name), refused('not-found'));
    const made = await client.create(configMaps, configMap('two'));
    await assert.rejects(client.create(configMaps, configMap('two')), refused('exists'));
    await client.replace(configMaps, { ...made, data: { a: '1' } });
    await assert.rejects(client.replace(configMaps, { ...made, data: { a: '2' } }), refused('conflict'));
    await assert.rejects(client.create(configMaps, configMap('Not A Name')), refused('invalid'));
    const weak = await kubeOf(await server.access(await server.serviceAccountToken('default', 'weak')));
    await assert.rejects(weak.client.get(configMaps, name), refused('forbidden'));
    await weak.client.close();
    const unknown = await kubeOf(await server.access('no such token'));
    await assert.rejects(unknown.client.get(configMaps, name), refused('unauthorized'));
    await unknown.client.close();
  });

  test('lists page by page', async () => {
    const { client } = kube;
    for (const index of [1, 2, 3, 4, 5])
      await client.create(configMaps, {
        ...configMap(`paged-${index}`),
        metadata: { name: `paged-${index}`, namespace: 'default', labels: { of: 'pages' } },
      });
    const query = { namespace: 'default', labelSelector: 'of=pages', limit: 2 };
    const names: string[][] = [];
    let continueToken: string | undefined;
    do {
      const page = await client.page(configMaps, { ...query, continueToken });
      names.push(page.items.map(({ metadata }) => metadata.name));
      ({ continueToken } = page);
    } while (continueToken);
    assert.deepEqual(names, [['paged-1', 'paged-2'], ['paged-3', 'paged-4'], ['paged-5']]);
  });

  test('finds a forgotten continue token gone', async () => {
    const { client } = kube;
    const { continueToken } = await client.page(configMaps, { limit: 1 });
    await client.create(configMaps, configMap('newer'));
    await server.etcd.compact();
    await assert.rejects(client.page(configMaps, { limit: 1, continueToken }), refused('gone'));
  });

  test('applies as the owner of its fields: what it leaves out goes, what others own stays, and force decides a conflict', async () => {
    const { client } = kube;
    const name = { namespace: 'default', name: 'applied' };
    await client.apply(configMaps, configMap('applied', { ours: '1', dropped: '1' }), { fieldManager: 'ours' });
    await client.apply(configMaps, configMap('applied', { theirs: '1' }), { fieldManager: 'theirs' });
    await client.apply(configMaps, configMap('applied', { ours: '2' }), { fieldManager: 'ours' });
    assert.deepEqual((await client.get<ConfigMap>(configMaps, name)).data, { ours: '2', theirs: '1' });
    const claim = configMap('applied', { ours: '2', theirs: '2' });
    await assert.rejects(client.apply(configMaps, claim, { fieldManager: 'ours' }), refused('conflict'));
    await client.apply(configMaps, claim, { fieldManager: 'ours', force: true });
  });

  test('what was applied differs in nothing from what is there, and what was not, where it was not', async () => {
    const { client } = kube;
    const wanted: ConfigMap = {
      ...configMap('diffed', { a: '1' }),
      metadata: { name: 'diffed', namespace: 'default', labels: { x: 'y' }, annotations: {} },
    };
    const live = await client.apply<ConfigMap>(configMaps, wanted, { fieldManager: 'ours' });
    const owned = ['data', 'binaryData'];
    assert.deepEqual(differences(wanted, live, { owned }), []);
    assert.deepEqual(differences(wanted, { ...live, data: { a: '1', b: '2' } }, { owned }), ['data.b']);
    const applied = await client.apply(configMaps, wanted, { fieldManager: 'ours' });
    assert.equal(applied.metadata.resourceVersion, live.metadata.resourceVersion, 'the server wrote nothing, too');
  });

  test('reads a kubeconfig as well as a service account', async () => {
    const { kubeconfig } = await server.access();
    process.env.KUBECONFIG = kubeconfig;
    const connection = connectTo(await clusterOf(process.env), { userAgent: 'tollgate-test' });
    const { gitVersion } = await connection.call<{ gitVersion: string }>({ method: 'GET', path: '/version' });
    assert.match(gitVersion, /^v1\./);
    await connection.close();
    delete process.env.KUBECONFIG;
  });

  test('counts its requests under the names of client-go', async () => {
    const text = await kube.registry.metrics();
    assert.match(text, /rest_client_requests_total\{code="201",method="POST",host="[\d.:]+"\} \d+/);
    assert.match(text, /rest_client_request_duration_seconds_count/);
  });
});
