// Publishing when it is not known what became of a write: no generation ever has two contents, and what comes late comes over nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { POINTER_FIELD, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import { SCHEMA_VERSION, type Snapshot } from '#core/snapshot/snapshot.ts';
import { kubeClient } from '#platform/kube/client.ts';
import type { Connection, KubeRequest } from '#platform/kube/connection.ts';
import { isKubeError, KubeError } from '#platform/kube/errors.ts';
import { Publisher } from '../../operator/publish/publisher.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type ConfigMap, configMaps, type Kube, kubeOf } from './support/kube.ts';

const namespace = 'default';
const snapshotOf = (...tenants: string[]): Snapshot => ({
  ...{ schemaVersion: SCHEMA_VERSION, providers: {}, routes: [], keys: [] },
  tenants: Object.fromEntries(tenants.map(tenant => [tenant, { budgets: [] }])),
});

/** Keeps writes of the pointer back, and says that the server did not answer. */
class Withholding implements Connection {
  readonly #through: Connection;
  isWithholding = false;
  readonly withheld: KubeRequest[] = [];

  constructor(through: Connection) {
    this.#through = through;
  }

  call<T>(request: KubeRequest): Promise<T> {
    if (!this.isWithholding || request.method !== 'PATCH' || !request.path.includes(`/${POINTER_OBJECT}?`))
      return this.#through.call<T>(request);
    this.withheld.push(request);
    return Promise.reject(new KubeError('unreachable', 'no answer'));
  }

  stream = (request: KubeRequest) => this.#through.stream(request);
  close = () => this.#through.close();
}

describe('a publisher', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  let kube: Kube;
  before(async () => {
    server = await startApiServer({ crds: false });
    kube = await kubeOf(await server.access());
  });
  after(async () => {
    await kube?.client.close();
    await server?.stop();
  });

  const pointer = async () =>
    (await kube.client.get<ConfigMap>(configMaps, { namespace, name: POINTER_OBJECT })).data?.[POINTER_FIELD] ?? '';

  test('goes on after a write of which it does not know whether it was made', async () => {
    const connection = new Withholding(kube.connection);
    const publisher = new Publisher({ client: kubeClient(connection), namespace, schemas: () => [SCHEMA_VERSION] });
    const first = await publisher.publish(snapshotOf('a'), new Map());
    assert.deepEqual(await publisher.publish(snapshotOf('a'), new Map()), { ...first, writes: 0 });
    connection.isWithholding = true;
    await assert.rejects(publisher.publish(snapshotOf('a', 'lost'), new Map()), error => isKubeError(error, 'unreachable'));
    connection.isWithholding = false;
    const second = await publisher.publish(snapshotOf('a', 'b'), new Map());
    assert.equal(second.generation, first.generation + 2, 'the generation in between may have been seen');
    const published = await pointer();
    await assert.rejects(kube.connection.call(connection.withheld[0]!), error => isKubeError(error, 'conflict'));
    assert.equal(await pointer(), published);
    assert.equal(await publisher.isThere(), true);
  });

  test('finds out what others did to what it published, and publishes it again', async () => {
    const publisher = new Publisher({ client: kube.client, namespace, schemas: () => [SCHEMA_VERSION] });
    const { generation } = await publisher.publish(snapshotOf('c'), new Map([['team/secret/key', 'sk']]));
    await kube.client.patch(
      configMaps,
      { namespace, name: POINTER_OBJECT },
      { data: { [POINTER_FIELD]: null } },
      { fieldManager: 'kubectl' },
    );
    assert.equal(await publisher.isThere(), false);
    const again = await publisher.publish(snapshotOf('c'), new Map([['team/secret/key', 'sk']]));
    assert.ok(again.generation > generation);
    await kube.client.delete(configMaps, { namespace, name: POINTER_OBJECT });
    assert.ok((await publisher.publish(snapshotOf('d'), new Map())).generation > again.generation);
    assert.equal(await publisher.isThere(), true);
  });
});
