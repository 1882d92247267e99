// Providers that are lent to other namespaces by ReferenceGrants of the Gateway API, whose definitions a cluster may have, get later,
// or never. What is installed here has their names and the fields that are read.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GRANT_GROUP, GRANT_KIND } from '#core/compile/index.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type Deployment, deploy } from './support/deployment.ts';
import { withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const DEADLINE_MS = 90_000;

describe('references to providers of other namespaces', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let deployment: Deployment;
  let owner: TeamNamespace;
  let borrower: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    deployment = await deploy({ server, pods: 1 });
    [owner, borrower] = [new TeamNamespace(server, 'owner'), new TeamNamespace(server, 'borrower')];
    await Promise.all([owner.create(), borrower.create()]);
    await owner.secret('upstream', { key: 'sk-upstream' });
    await owner.provider('models', { openAICompatible: { baseURL: 'http://10.250.0.200/v1' } }, 'upstream', ['tiny']);
  });
  after(async () => {
    await deployment?.stop();
    await server?.stop();
  });

  const borrow = (name: string) =>
    borrower.route(name, name, 'models', {
      backends: [{ name: 'b', providerRef: { name: 'models', namespace: 'owner' }, model: 'tiny' }],
    });
  const grantPath = (version: string) => `/apis/${GRANT_GROUP}/${version}/namespaces/owner/referencegrants/lent`;
  const lend = (version: string, namespace: string) =>
    server.apply(grantPath(version), {
      apiVersion: `${GRANT_GROUP}/${version}`,
      kind: GRANT_KIND,
      metadata: { name: 'lent' },
      spec: {
        from: [{ group: 'tollgate.dev', kind: 'LLMRoute', namespace }],
        to: [{ group: 'tollgate.dev', kind: 'LLMProvider', name: 'models' }],
      },
    });
  const refused = async (name: string) => {
    const [, resolved] = await borrower.conditions('llmroutes', name, 'ResolvedRefs', 'False', DEADLINE_MS);
    assert.equal(resolved?.reason, 'RefNotPermitted');
    assert.match(resolved?.message ?? '', /allowedRoutes of the LLMProvider owner\/models does not admit namespace borrower/);
  };

  test('are refused with the reason where the definition is not installed', async () => {
    await borrow('borrowed');
    await refused('borrowed');
  });

  test('are permitted by a grant, from when the definition is installed, and no more when the grant is gone', async () => {
    await install(server, ['v1beta1']);
    await lend('v1beta1', 'somebody-else');
    await refused('borrowed');
    await lend('v1beta1', 'borrower');
    // The definition is looked for once a minute.
    await borrower.conditions('llmroutes', 'borrowed', 'Programmed', 'True', DEADLINE_MS);
    await server.call('DELETE', grantPath('v1beta1'));
    await refused('borrowed');
  });

  test('are permitted at once by an operator that finds the definition at its start, in the newer version where there is one', async () => {
    await install(server, ['v1', 'v1beta1']);
    await lend('v1', 'borrower');
    await deployment.operator!.stop();
    await deployment.startOperator();
    await borrower.conditions('llmroutes', 'borrowed', 'Programmed', 'True', DEADLINE_MS);
    const watched = (await server.audit()).filter(
      ({ objectRef, verb }) => objectRef?.resource === 'referencegrants' && verb === 'watch',
    );
    assert.ok(watched.length > 0);
  });
});

/** @param versions the last is the one that is kept */
async function install(server: ApiServer, versions: readonly string[]): Promise<void> {
  const item = {
    type: 'object',
    properties: Object.fromEntries(['group', 'kind', 'namespace', 'name'].map(field => [field, { type: 'string' }])),
  };
  const list = { type: 'array', items: item };
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { from: list, to: list } } } };
  const name = `referencegrants.${GRANT_GROUP}`;
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  await server.apply(path, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    // The API server keeps names under *.k8s.io to those who say that they were approved.
    metadata: { name, annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in of a test' } },
    spec: {
      group: GRANT_GROUP,
      scope: 'Namespaced',
      names: { kind: GRANT_KIND, plural: 'referencegrants', singular: 'referencegrant', listKind: `${GRANT_KIND}List` },
      versions: versions.map((version, at) => ({
        name: version,
        served: true,
        storage: at === versions.length - 1,
        schema: { openAPIV3Schema: schema },
      })),
    },
  });
  for (const version of versions)
    await until(
      `${version} of ${name} is served`,
      async () => {
        const answer = await server.try('GET', `/apis/${GRANT_GROUP}/${version}/namespaces/owner/referencegrants`);
        return answer.status === 200;
      },
      DEADLINE_MS,
    );
}
