// The chart on a real API server: every set of values is taken by it and by kubeconform, pods are fit for Pod Security "restricted", and what people
// made survives an upgrade and an uninstallation by a real Helm.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '#test/support/until.ts';
import { MANIFESTS, renderedManifests } from '../../tools/manifests.ts';
import { helmPath, kubeconformPath, kubectlPath } from '../../tools/places.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { CHART, helm, parsed, RELEASE, run, stores, template } from './support/chart.ts';
import { valueSets } from './support/chart-values.ts';
import { applyForeignCrds, foreignKinds } from './support/foreign-crds.ts';
import { kubeconform, writeSchemas } from './support/kubeconform.ts';
import { TeamNamespace } from './support/team.ts';

const NAMESPACE = 'tollgate-system';
const toolsMissing =
  !kubeconformPath() || !kubectlPath() ? 'kubeconform or kubectl is not on this machine: npm run tools' : false;

describe('the chart on an API server', { skip: withoutApiServer || toolsMissing }, () => {
  let server: ApiServer;
  let folder: string;
  let kubeconfig: string;
  before(async () => {
    server = await startApiServer({ crds: false });
    folder = await mkdtemp(path.join(tmpdir(), 'tollgate-chart-'));
    ({ kubeconfig } = await server.access());
    for (const name of [NAMESPACE, 'team-a', 'team-b']) await server.namespace(name);
    await applyForeignCrds(server);
  });
  after(async () => {
    await server?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const kubectl = async (args: readonly string[], input = ''): Promise<string> => {
    const { status, stdout, stderr } = await run(
      kubectlPath()!,
      ['--kubeconfig', kubeconfig, '--cache-dir', path.join(folder, 'kubectl'), ...args],
      { input },
    );
    assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const inCluster = (args: readonly string[], values: object = stores): Promise<string> =>
    helm([...args, '--kubeconfig', kubeconfig, '--namespace', NAMESPACE], values);

  describe('with the values', () => {
    let schemas: string;
    const manifestsOf = (values: object): Promise<string> =>
      template(NAMESPACE, { ...values, metrics: { ...(values as { metrics?: object }).metrics, renderMode: 'alwaysRender' } });
    before(async () => {
      schemas = path.join(folder, 'schemas');
      // The server tells of definitions some time after it serves them.
      await until(
        'the server tells of all kinds',
        async () => {
          const written = await writeSchemas(server, schemas);
          return foreignKinds.every(kind => written.has(kind));
        },
        60_000,
      );
    });

    for (const [name, values] of valueSets)
      test(`${name} is what kubeconform and the API server know`, async () => {
        const manifests = await manifestsOf(values);
        const checked = await kubeconform(schemas, manifests);
        assert.equal(checked.status, 0, checked.stdout + checked.stderr);
        assert.match(checked.stdout, /Invalid: 0, Errors: 0, Skipped: 0/);
        const applied = await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], manifests);
        assert.equal(applied.trim().split('\n').length, parsed(manifests).length);
      });

    test('that are not known, kubeconform says so', async () => {
      const manifests = (await manifestsOf(stores)).replace('terminationGracePeriodSeconds: 630', 'terminationGraceSeconds: 630');
      const checked = await kubeconform(schemas, manifests);
      assert.notEqual(checked.status, 0);
      assert.match(checked.stdout, /terminationGraceSeconds/);
    });
  });

  test('every pod is fit for Pod Security "restricted"', async () => {
    const name = 'restricted';
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await server.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    const manifests = parsed(await template(name, { dev: { enabled: true, postgresStorage: '' } }));
    const pods = manifests.flatMap(manifest => {
      const { template: made, ...pod } = (manifest.spec ?? {}) as { template?: { spec: object }; containers?: object };
      return made ? [made.spec] : pod.containers ? [pod] : [];
    });
    assert.equal(pods.length, 5);
    const create = (spec: object) =>
      server.try('POST', `/api/v1/namespaces/${name}/pods?dryRun=All`, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pod' },
        spec,
      });
    for (const spec of pods) {
      const { status, body } = await create(spec);
      assert.equal(status, 201, JSON.stringify(body));
    }
    const { status, body } = await create({ ...pods[0], hostNetwork: true });
    assert.equal(status, 403);
    assert.match(body.message!, /violates PodSecurity/);
  });

  test('the manifests for kubectl are what the chart says, and are taken', async () => {
    assert.ok(
      (await readFile(MANIFESTS, 'utf8')) === renderedManifests(helmPath()!),
      'it is out of step with the chart: npm run gen',
    );
    await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', MANIFESTS]);
  });

  describe('installed', () => {
    let team: TeamNamespace;
    const crd = async (plural: string) =>
      (
        await server.call<{ spec: { versions: { schema: { openAPIV3Schema: { description: string } } }[] } }>(
          'GET',
          `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.tollgate.dev`,
        )
      ).spec.versions[0]!.schema.openAPIV3Schema.description;
    const masterKey = async () =>
      (await server.call<{ data: Record<string, string> }>('GET', `/api/v1/namespaces/${NAMESPACE}/secrets/tollgate-master-key`))
        .data.TOLLGATE_MASTER_KEY;
    const uidOf = async (plural: string, name: string) =>
      (await server.call<{ metadata: { uid: string } }>('GET', `/apis/tollgate.dev/v1alpha1/namespaces/team-a/${plural}/${name}`))
        .metadata.uid;
    const uids = () => Promise.all([uidOf('llmproviders', 'models'), uidOf('llmroutes', 'chat'), uidOf('tenantkeys', 'client')]);
    let before: string[];
    let key: string | undefined;

    test('from the previous chart: people use its kinds', async () => {
      // There is no release yet: this chart with another version, an older image, a definition that said something else, and no NetworkPolicies.
      const previous = path.join(folder, 'previous');
      await cp(CHART, previous, { recursive: true });
      const chart = path.join(previous, 'Chart.yaml');
      await writeFile(chart, (await readFile(chart, 'utf8')).replaceAll('0.1.0', '0.0.9'));
      const definition = path.join(previous, 'files/crds/tenantkeys.tollgate.dev.yaml');
      const text = await readFile(definition, 'utf8');
      await writeFile(definition, text.replace(/(openAPIV3Schema:\n +type: object\n +description: )[^\n]*/, '$1As it was.'));
      assert.notEqual(await readFile(definition, 'utf8'), text);
      await rm(path.join(previous, 'templates/network-policies.yaml'));

      const notes = await inCluster(['install', RELEASE, previous]);
      assert.match(notes, /Tollgate 0\.0\.9 is installed/);
      assert.equal(await crd('tenantkeys'), 'As it was.');
      await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
      team = new TeamNamespace(server, 'team-a');
      await until(
        'the kinds are served',
        async () => (await server.try('GET', '/apis/tollgate.dev/v1alpha1/tenantkeys')).status === 200,
      );
      await team.provider('models', { openAICompatible: { baseURL: 'https://models.example.com/v1' } }, 'upstream', ['tiny']);
      await team.route('chat', 'chat', 'models');
      await team.key('client', { tenant: 'team', secretRef: { name: 'client', key: 'key' } });
      before = await uids();
      key = await masterKey();
      assert.match(atob(key!), /^sk-master-[A-Za-z0-9]{40}$/);
    });

    test('an upgrade brings the new definitions, and keeps objects and the master key', async () => {
      await inCluster(['upgrade', RELEASE, CHART]);
      assert.notEqual(await crd('tenantkeys'), 'As it was.');
      assert.deepEqual(await uids(), before);
      assert.equal(await masterKey(), key);
      const policies = await kubectl(['get', 'networkpolicies', '--namespace', NAMESPACE, '--output', 'name']);
      assert.match(policies, /tollgate-default-deny/);
    });

    test('an upgrade to other values takes away what they do not have', async () => {
      await inCluster(['upgrade', RELEASE, CHART], { ...stores, networkPolicy: { enabled: false } });
      const policies = await kubectl(['get', 'networkpolicies', '--namespace', NAMESPACE, '--output', 'name']);
      assert.equal(policies, '');
      assert.equal(await masterKey(), key);
    });

    test('what scales the data plane finds it as it was, and is not set back by an upgrade', async () => {
      const deployment = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/tollgate-dataplane`;
      const replicas = async () => (await server.call<{ spec: { replicas: number } }>('GET', deployment)).spec.replicas;
      const fixed = (count: number) => ({ ...stores, dataplane: { replicas: count } });
      const scaled = { ...stores, dataplane: { autoscaling: { kind: 'HPA' } } };
      await inCluster(['upgrade', RELEASE, CHART], fixed(4));
      assert.equal(await replicas(), 4);
      await inCluster(['upgrade', RELEASE, CHART], scaled);
      assert.equal(await replicas(), 4);
      await kubectl(['scale', '--namespace', NAMESPACE, 'deployment/tollgate-dataplane', '--replicas=7']);
      await inCluster(['upgrade', RELEASE, CHART], scaled);
      assert.equal(await replicas(), 7);
      // Helm 4 asks to be told that the number is to be taken back from who scaled.
      await assert.rejects(inCluster(['upgrade', RELEASE, CHART], fixed(3)), /conflict with "kubectl".*replicas/);
      await inCluster(['upgrade', RELEASE, CHART, '--force-conflicts'], fixed(3));
      assert.equal(await replicas(), 3);
    });

    test('an uninstallation keeps objects, definitions and the master key, and nothing that runs', async () => {
      const where = ['--kubeconfig', kubeconfig, '--namespace', NAMESPACE];
      const { status, stderr } = await run(helmPath()!, ['uninstall', RELEASE, ...where]);
      assert.equal(status, 0, stderr);
      assert.deepEqual(await uids(), before);
      assert.equal(await masterKey(), key);
      const kinds = 'deployments,services,roles,rolebindings,serviceaccounts,poddisruptionbudgets';
      const left = await kubectl([
        'get',
        kinds,
        ...where.slice(2),
        '--selector',
        'app.kubernetes.io/instance=tollgate',
        '--output',
        'name',
      ]);
      assert.equal(left, '');
    });

    test('once more, from a package, it takes over what was kept', async () => {
      const packed = await run(helmPath()!, ['package', CHART, '--destination', folder]);
      assert.equal(packed.status, 0, packed.stderr);
      await inCluster(['install', RELEASE, path.join(folder, 'tollgate-0.1.0.tgz')]);
      assert.deepEqual(await uids(), before);
      assert.equal(await masterKey(), key);
    });

    test('a second release leaves the definitions to the first', async () => {
      const second = (values: object) =>
        helm(['install', 'second', CHART, '--kubeconfig', kubeconfig, '--namespace', 'team-b'], { ...stores, ...values });
      await assert.rejects(second({}), /CustomResourceDefinition "\w+\.tollgate\.dev".*cannot be imported/);
      await second({ crds: { install: false }, operator: { watchNamespaces: ['team-b'] } });
      const names = await kubectl(['get', 'deployments', '--namespace', 'team-b', '--output', 'name']);
      assert.match(names, /second-tollgate-dataplane/);
    });
  });
});
