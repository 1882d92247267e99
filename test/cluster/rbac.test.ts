// What the tokens of the operator and of the data plane can do, asked of the real API server, and that they can do nothing else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CONFIG_OBJECTS, CREDENTIALS_OBJECT, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { isRbac, rendered } from './support/chart.ts';
import { rbacPath, SYSTEM } from './support/deployment.ts';
import { measuring } from './support/figures.ts';

const as = (name: string) => ({ 'impersonate-user': `system:serviceaccount:${SYSTEM}:${name}` });
const pod = as('tollgate-dataplane');
const operator = as('tollgate-operator');

describe('roles', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    for (const name of [SYSTEM, 'team', 'other']) await server.namespace(name);
    for (const manifest of (await rendered(SYSTEM)).filter(isRbac)) await server.apply(rbacPath(manifest), manifest);
  });
  after(() => server?.stop());

  const configMap = (namespace: string, name = '') => `/api/v1/namespaces/${namespace}/configmaps${name && `/${name}`}`;
  const secret = (namespace: string, name = '') => `/api/v1/namespaces/${namespace}/secrets${name && `/${name}`}`;
  const ours = (plural: string, name = '') => `/apis/tollgate.dev/v1alpha1/namespaces/team/${plural}${name && `/${name}`}`;
  const watching = (path: string, name?: string) =>
    `${path}?watch=true&timeoutSeconds=1${name ? `&fieldSelector=metadata.name%3D${name}` : ''}`;
  const status = async (method: string, path: string, user: Record<string, string>, body?: unknown) =>
    (await server.try(method, path, body, user)).status;
  const isAllowed = async (method: string, path: string, user: Record<string, string>, body?: unknown) =>
    (await status(method, path, user, body)) !== 403;

  describe('of a data-plane pod', () => {
    test('let it read each object that is published, and watch the two that tell of changes', async () => {
      for (const name of CONFIG_OBJECTS) assert.equal(await status('GET', configMap(SYSTEM, name), pod), 404, name);
      assert.equal(await status('GET', secret(SYSTEM, CREDENTIALS_OBJECT), pod), 404);
      assert.equal(await status('GET', watching(configMap(SYSTEM), POINTER_OBJECT), pod), 200);
      assert.equal(await status('GET', watching(secret(SYSTEM), CREDENTIALS_OBJECT), pod), 200);
    });

    test('let it do nothing else', async () => {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: POINTER_OBJECT } };
      const calls: readonly (readonly [string, string, unknown?])[] = [
        ['GET', secret(SYSTEM)],
        ['GET', configMap(SYSTEM)],
        ['GET', watching(secret(SYSTEM))],
        ['GET', watching(configMap(SYSTEM))],
        ['GET', watching(secret(SYSTEM), 'another')],
        ['GET', secret(SYSTEM, 'another')],
        ['GET', secret('team', CREDENTIALS_OBJECT)],
        ['GET', secret('team')],
        ['GET', '/api/v1/secrets'],
        ['GET', '/api/v1/pods'],
        ['GET', '/api/v1/namespaces'],
        ['GET', ours('tenantkeys')],
        ['GET', ours('llmproviders')],
        ['POST', configMap(SYSTEM), body],
        ['PUT', configMap(SYSTEM, POINTER_OBJECT), body],
        ['DELETE', configMap(SYSTEM, POINTER_OBJECT)],
        ['POST', ours('tenantkeys'), { apiVersion: 'tollgate.dev/v1alpha1', kind: 'TenantKey', metadata: { name: 'k' } }],
        ['POST', `/api/v1/namespaces/${SYSTEM}/serviceaccounts/tollgate-operator/token`, {}],
      ];
      for (const [method, path, sent] of calls) assert.equal(await status(method, path, pod, sent), 403, `${method} ${path}`);
    });

    test('are, by the API server itself, these rules and no more', async () => {
      const figure = measuring(import.meta.filename);
      const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: SYSTEM } };
      const groups = { 'impersonate-group': 'system:serviceaccounts' };
      const answer = await server.call<{ status: { resourceRules: { resources: string[]; verbs: string[] }[] } }>(
        'POST',
        '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
        review,
        { ...pod, ...groups },
      );
      const verbs = answer.status.resourceRules.flatMap(({ resources, verbs }) =>
        resources.flatMap(r => verbs.map(verb => `${verb} ${r}`)),
      );
      const own = verbs.filter(rule => !rule.includes('selfsubject'));
      const rules = [...new Set(own)].sort().join(', ');
      const isMet = rules === 'get configmaps, get secrets, watch configmaps, watch secrets';
      figure({
        row: '20',
        goal: 'token of the data plane: reads its named objects and nothing else',
        measured: `by the server: ${rules}; each by its names: real calls`,
        isMet,
      });
      assert.ok(isMet, rules);
    });
  });

  describe('of the operator', () => {
    test('let it read our objects and write their statuses, but not what people wrote', async () => {
      assert.ok(await isAllowed('GET', '/apis/tollgate.dev/v1alpha1/llmroutes', operator));
      const apply = { ...operator, 'content-type': 'application/apply-patch+yaml' };
      const route = {
        apiVersion: 'tollgate.dev/v1alpha1',
        kind: 'LLMRoute',
        metadata: { name: 'r' },
        status: { observedGeneration: 1 },
      };
      assert.ok(await isAllowed('PATCH', `${ours('llmroutes', 'r')}/status?fieldManager=x`, apply, route));
      for (const plural of ['llmproviders', 'llmroutes']) {
        assert.equal(await status('PATCH', `${ours(plural, 'r')}?fieldManager=x`, apply, {}), 403);
        assert.equal(await status('DELETE', ours(plural, 'r'), operator), 403);
      }
    });

    test('let it read and watch a Secret by its name, and list none anywhere', async () => {
      assert.ok(await isAllowed('GET', secret('team', 'client'), operator));
      assert.ok(await isAllowed('GET', watching(secret('team'), 'client'), operator));
      for (const path of ['/api/v1/secrets', secret('team'), secret(SYSTEM)])
        assert.equal(await status('GET', path, operator), 403, path);
      assert.equal(await status('DELETE', secret('team', 'client'), operator), 403);
    });

    test('let it write its own ConfigMaps and no others', async () => {
      const apply = { ...operator, 'content-type': 'application/apply-patch+yaml' };
      const body = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
      assert.ok(await isAllowed('PATCH', `${configMap(SYSTEM, POINTER_OBJECT)}?fieldManager=x`, apply, body(POINTER_OBJECT)));
      assert.equal(await status('PATCH', `${configMap(SYSTEM, 'another')}?fieldManager=x`, apply, body('another')), 403);
      assert.equal(
        await status('PATCH', `${configMap('team', POINTER_OBJECT)}?fieldManager=x`, apply, body(POINTER_OBJECT)),
        403,
      );
      assert.equal(await status('POST', `/api/v1/namespaces/${SYSTEM}/pods`, operator, {}), 403);
      assert.equal(await status('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles', operator), 403);
    });
  });
});
