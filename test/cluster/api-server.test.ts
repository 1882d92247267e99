// The ground that the other cluster tests stand on: a real API server that serves our kinds.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';

describe('the API server of the tests', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
  });
  after(() => server?.stop());

  test('serves our kinds, with the columns of their tables', async () => {
    const table = await server.call<{ columnDefinitions: { name: string }[] }>(
      'GET',
      '/apis/tollgate.dev/v1alpha1/llmproviders',
      undefined,
      { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' },
    );
    assert.deepEqual(
      table.columnDefinitions.map(({ name }) => name),
      ['Name', 'Type', 'Ready', 'Endpoints', 'Models', 'Age'],
    );
  });

  test('refuses what RBAC does not allow', async () => {
    const asNobody = { 'impersonate-user': 'system:serviceaccount:default:nobody' };
    assert.equal((await server.try('GET', '/api/v1/secrets', undefined, asNobody)).status, 403);
    const token = await server.serviceAccountToken('default', 'nobody');
    const withToken = await server.try('GET', '/api/v1/secrets', undefined, { authorization: `Bearer ${token}` });
    assert.equal(withToken.status, 403);
  });

  test('takes the addresses of pods of our own network in an EndpointSlice', { skip: withoutOwnNetwork }, async () => {
    await server.apply('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/pods', {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'pods', namespace: 'default' },
      addressType: 'IPv4',
      endpoints: [{ addresses: [ownNetwork!.address(5)] }],
      ports: [{ name: 'internal', port: 4001 }],
    });
  });

  test('comes back where it was after it was killed', async () => {
    await server.namespace('kept');
    await server.kill();
    await server.start();
    await server.call('GET', '/api/v1/namespaces/kept');
  });

  test('writes down every request that it answered', async () => {
    const { length } = (await server.audit()).filter(({ verb, objectRef }) => verb === 'patch' && objectRef?.name === 'kept');
    assert.equal(length, 1);
  });
});
