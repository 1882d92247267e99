// What the chart says, without a cluster: that Helm takes it with every set of values, what it refuses, and that its parts agree with the code.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { crdOf } from '#core/resources/crd.ts';
import { KINDS } from '#core/resources/index.ts';
import { CONFIG_OBJECTS, CREDENTIALS_OBJECT } from '#core/snapshot/layout.ts';
import { paths } from '#dataplane/frontends/index.ts';
import { pairsOf, stagesOf } from '#test/support/dockerfile.ts';
import { ruleGroups } from '../../deploy/alerts/alerts.ts';
import { isLeaf, type Values } from '../../deploy/chart/value.ts';
import { chartValues } from '../../deploy/chart/values.ts';
import { dashboards } from '../../deploy/dashboards/index.ts';
import { CHART, helm, type Manifest, named, podSpec, portOf, rendered, stores, template, withoutHelm } from './support/chart.ts';
import { valueSets } from './support/chart-values.ts';
import { allows, type Connection } from './support/network-policy.ts';

const NAMESPACE = 'tollgate-system';
const alwaysRender = { renderMode: 'alwaysRender' };

type Volume = { readonly name: string; readonly projected?: { readonly sources: readonly Source[] } };
type Source = Readonly<
  Record<'configMap' | 'secret', { readonly name: string; readonly items: readonly { readonly path: string }[] } | undefined>
>;

describe('the chart', { skip: withoutHelm }, () => {
  for (const [name, values] of valueSets)
    test(`is sound with the values ${name}`, async () => {
      assert.match(await helm(['lint', '--strict', CHART], values), /0 chart\(s\) failed/);
    });

  test('is of the version of the project, and describes every kind', () => {
    const chart = parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8'));
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.deepEqual([chart.version, chart.appVersion], [version, version]);
    const described = parse(chart.annotations['artifacthub.io/crds']) as { kind: string; name: string }[];
    const ours = KINDS.map(kind => ({ kind, name: crdOf(kind).metadata.name }));
    assert.deepEqual(
      described.map(({ kind, name }) => ({ kind, name })),
      ours,
    );
    assert.deepEqual(
      (parse(chart.annotations['artifacthub.io/crdsExamples']) as Manifest[]).map(({ kind }) => kind),
      KINDS,
    );
  });

  test('has the definitions as crds/ has them, but for the annotation that keeps them', async () => {
    const manifests = await rendered(NAMESPACE);
    for (const file of globSync('charts/tollgate/files/crds/*.yaml')) {
      const { metadata, ...rest } = parse(readFileSync(file, 'utf8')) as Manifest;
      const annotations = { 'helm.sh/resource-policy': 'keep' };
      assert.deepEqual(named(manifests, 'CustomResourceDefinition', metadata.name), {
        ...rest,
        metadata: { annotations, ...metadata },
      });
    }
    const without = await rendered(NAMESPACE, { ...stores, crds: { install: false } });
    assert.ok(!without.some(({ kind }) => kind === 'CustomResourceDefinition'));
    const unkept = await template(NAMESPACE, { ...stores, crds: { keep: false }, masterKey: { enabled: false } });
    assert.ok(!unkept.includes('resource-policy'));
  });

  test('mounts every object that is published where the data plane looks for it', async () => {
    const volumes = podSpec(await rendered(NAMESPACE), 'tollgate-dataplane').volumes as readonly Volume[];
    const sources = volumes.find(({ name }) => name === 'config')!.projected!.sources;
    const objects = sources.map(({ configMap, secret }) => (configMap ?? secret)!);
    assert.deepEqual(
      objects.map(({ name }) => name),
      [...CONFIG_OBJECTS, CREDENTIALS_OBJECT],
    );
    for (const { name, items } of objects)
      assert.deepEqual(
        items.map(({ path }) => path.split('/')[0]),
        [name],
      );
  });

  test('starts what is in the image, as its user, on its ports', async () => {
    const { steps } = stagesOf(readFileSync('Dockerfile', 'utf8')).at(-1)!;
    const last = (keyword: string) => steps.findLast(step => step.keyword === keyword)!;
    const manifests = await rendered(NAMESPACE);
    const { containers, securityContext } = podSpec(manifests, 'tollgate-dataplane');
    const { args, ports, env, volumeMounts } = containers[0]!;
    assert.deepEqual(last('ENTRYPOINT').words, ['node']);
    for (const entry of [...args, ...podSpec(manifests, 'tollgate-operator').containers[0]!.args])
      assert.ok(existsSync(entry), entry);
    const { runAsUser, runAsGroup } = securityContext as { runAsUser: number; runAsGroup: number };
    assert.equal(last('USER').text, `${runAsUser}:${runAsGroup}`);
    assert.deepEqual(
      last('EXPOSE').words,
      ports.map(({ containerPort }) => String(containerPort)),
    );
    const folder = pairsOf(last('ENV')).TOLLGATE_DATA;
    assert.equal(env.find(({ name }) => name === 'TOLLGATE_DATA')?.value, folder);
    assert.ok(volumeMounts.some(({ mountPath }) => mountPath === folder));
  });

  test('sets only variables that are documented', async () => {
    const known = ['configuration', 'kubernetes', 'telemetry'].map(page => readFileSync(`docs/${page}.md`, 'utf8')).join('\n');
    const manifests = await rendered(NAMESPACE, {
      ...stores,
      operator: { watchNamespaces: ['team'] },
      settings: { maxBodyBytes: 4096, cacheMaxBytes: 2_000_000, ledgerRetentionDays: 30, otlpEndpoint: 'http://collector:4318' },
    });
    const names = ['tollgate-operator', 'tollgate-dataplane'].flatMap(name =>
      podSpec(manifests, name).containers.flatMap(({ env }) => env.map(variable => variable.name)),
    );
    assert.ok(names.length > 20);
    for (const name of names) assert.ok(known.includes(`\`${name}\``), name);
  });

  test('gives a pod the time to finish its streams, and load balancers the patience for them', async () => {
    const drain = async (values: object) => {
      const manifests = await rendered(NAMESPACE, { ...stores, ...values });
      const { containers, terminationGracePeriodSeconds } = podSpec(manifests, 'tollgate-dataplane');
      const env = Object.fromEntries(containers[0]!.env.map(({ name, value }) => [name, value]));
      return { manifests, terminationGracePeriodSeconds, drainMs: env.DRAIN_TIMEOUT_MS, keepAliveMs: env.KEEP_ALIVE_MS };
    };
    const usual = await drain({ dataplane: { preStopSeconds: 20, terminationGracePeriodSeconds: 330 } });
    assert.deepEqual([usual.terminationGracePeriodSeconds, usual.drainMs, usual.keepAliveMs], [330, '300000', '75000']);

    const alb = await drain({ loadBalancer: { kind: 'ALB', idleTimeoutSeconds: 900 }, ingress: { enabled: true } });
    assert.equal(alb.keepAliveMs, '910000');
    const annotations = named(alb.manifests, 'Ingress', 'tollgate').metadata.annotations!;
    assert.equal(annotations['alb.ingress.kubernetes.io/load-balancer-attributes'], 'idle_timeout.timeout_seconds=900');
    assert.match(annotations['alb.ingress.kubernetes.io/target-group-attributes']!, /deregistration_delay\.timeout_seconds=630/);

    const gke = await drain({
      loadBalancer: { kind: 'GKEGateway', idleTimeoutSeconds: 900 },
      httpRoute: { enabled: true, parentRefs: [{ name: 'gateway' }] },
    });
    assert.equal(gke.keepAliveMs, '620000');
    const { spec } = named(gke.manifests, 'GCPBackendPolicy', 'tollgate') as unknown as {
      spec: { default: { timeoutSec: number } };
    };
    assert.equal(spec.default.timeoutSec, 900);
  });

  test('leaves the number of pods to what scales them', async () => {
    const replicas = async (autoscaling: object) => {
      const manifests = await rendered(NAMESPACE, { ...stores, dataplane: { autoscaling, replicas: 4 } });
      return (named(manifests, 'Deployment', 'tollgate-dataplane').spec as { replicas?: number }).replicas;
    };
    assert.equal(await replicas({ kind: 'None' }), 4);
    assert.equal(await replicas({ kind: 'HPA' }), undefined);
    assert.equal(await replicas({ kind: 'KEDA', prometheusAddress: 'http://prometheus:9090' }), undefined);
  });

  test('with watchNamespaces has nothing for the whole cluster', async () => {
    const values = { ...stores, crds: { install: false }, operator: { watchNamespaces: ['a', 'b'] } };
    const manifests = await rendered(NAMESPACE, values);
    assert.deepEqual(
      manifests.filter(({ metadata }) => metadata.namespace === undefined),
      [],
    );
    const roles = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === 'tollgate-operator-watched');
    assert.deepEqual(
      roles.map(({ metadata }) => metadata.namespace),
      ['a', 'b'],
    );
  });

  test('puts monitors and rules only where the cluster knows them, unless it is told otherwise', async () => {
    const metrics = { monitor: 'ServiceMonitor', rules: { enabled: true } };
    const kinds = async (more: object, ...flags: string[]) =>
      (await rendered(NAMESPACE, { ...stores, metrics: { ...metrics, ...more } }, ...flags))
        .map(({ kind }) => kind)
        .filter(kind => ['ServiceMonitor', 'PrometheusRule'].includes(kind))
        .sort();
    assert.deepEqual(await kinds({}), []);
    assert.deepEqual(await kinds({}, '--api-versions', 'monitoring.coreos.com/v1/PrometheusRule'), ['PrometheusRule']);
    assert.deepEqual(await kinds(alwaysRender), ['PrometheusRule', 'ServiceMonitor']);
    await assert.rejects(kinds({ renderMode: 'failIfMissing' }), /does not know ServiceMonitor/);
  });

  test('has the alerts and dashboards of the project, with links to where the runbooks are', async () => {
    const runbooks = 'https://runbooks.example.com';
    const metrics = { ...alwaysRender, rules: { enabled: true, runbooks: `${runbooks}/` }, dashboards: { enabled: true } };
    const manifests = await rendered(NAMESPACE, { ...stores, metrics });
    assert.deepEqual(named(manifests, 'PrometheusRule', 'tollgate').spec, ruleGroups(runbooks));
    const shown = manifests.filter(({ metadata }) => metadata.labels?.grafana_dashboard === '1');
    const files = shown.flatMap(({ data }) => Object.entries(data as Record<string, string>));
    assert.equal(files.length, dashboards.length);
    for (const [name, json] of files)
      assert.deepEqual(JSON.parse(json), JSON.parse(readFileSync(`deploy/dashboards/json/${name}`, 'utf8')));
  });

  test('leads every endpoint of clients through Ingress and HTTPRoute, and no administration', async () => {
    const manifests = await rendered(NAMESPACE, { ...stores, ingress: { enabled: true } });
    type Rules = { rules: { http: { paths: { path: string; pathType: string }[] } }[] };
    const { rules } = named(manifests, 'Ingress', 'tollgate').spec as Rules;
    const led = rules.flatMap(({ http }) => http.paths.map(({ path }) => path));
    const isLed = (asked: string) => led.some(path => asked === path || asked.startsWith(`${path}/`));
    const inModelsPath = ['/v1beta/models/gemini:generateContent', '/model/claude/converse-stream', '/model/info', '/v1/models'];
    for (const asked of [...paths, ...inModelsPath]) assert.ok(isLed(asked), asked);
    for (const asked of ['/key/generate', '/spend/logs', '/metrics', '/health', '/debug/decisions/1', '/cache'])
      assert.ok(!isLed(asked), asked);
  });

  test('has no value that no template reads', () => {
    const templates = globSync(`${CHART}/templates/*`)
      .map(file => readFileSync(file, 'utf8'))
      .join('\n');
    const leaves = (values: Values): readonly string[] =>
      Object.entries(values).flatMap(([name, value]) => (isLeaf(value) ? [name] : leaves(value.values)));
    const unread = leaves(chartValues).filter(name => !new RegExp(`\\.${name}\\b`).test(templates));
    assert.deepEqual(unread, []);
  });

  describe('refuses by name', () => {
    const cases: readonly (readonly [complaint: RegExp, values: object])[] = [
      [/redis\.existingSecret is not set/, { redis: { existingSecret: '' } }],
      [/postgres\.existingSecret is not set/, { postgres: { existingSecret: '' } }],
      [/at '\/dataplane': additional properties 'replica' not allowed/, { dataplane: { replica: 3 } }],
      [/additional properties 'watchNamespace' not allowed/, { operator: { watchNamespace: 'a' } }],
      [/at '\/settings\/logLevel'/, { settings: { logLevel: 'loud' } }],
      [/at '\/dataplane\/replicas'/, { dataplane: { replicas: '3' } }],
      [/at '\/operator\/watchNamespaces\/0'/, { operator: { watchNamespaces: ['Team_A'] } }],
      [/at '\/networkPolicy\/providers\/cidrs\/0'/, { networkPolicy: { providers: { cidrs: ['everywhere'] } } }],
      [/dataplane\.extraEnv: PORT is set by the chart/, { dataplane: { extraEnv: [{ name: 'PORT', value: '1' }] } }],
      [
        /operator\.extraEnv: A is set by the chart, and a variable may be set once/,
        { operator: { extraEnv: [{ name: 'A' }, { name: 'A' }] } },
      ],
      [/leaves no time for streams/, { dataplane: { preStopSeconds: 60, terminationGracePeriodSeconds: 61 } }],
      [
        /minReplicas \(9\) is more than maxReplicas \(3\)/,
        { dataplane: { autoscaling: { kind: 'HPA', minReplicas: 9, maxReplicas: 3 } } },
      ],
      [/has nothing to go by/, { dataplane: { autoscaling: { kind: 'HPA', inflightRequests: 0, cpuUtilization: 0 } } }],
      [/prometheusAddress is not set/, { dataplane: { autoscaling: { kind: 'KEDA' } } }],
      [/httpRoute\.parentRefs is empty/, { httpRoute: { enabled: true } }],
      [/loadBalancer\.kind is ALB, but ingress\.enabled is not set/, { loadBalancer: { kind: 'ALB' } }],
      [/loadBalancer\.kind is GKEGateway, but httpRoute\.enabled is not set/, { loadBalancer: { kind: 'GKEGateway' } }],
    ];
    for (const [complaint, values] of cases)
      test(JSON.stringify(values), async () => {
        await assert.rejects(template(NAMESPACE, { ...stores, ...values }), complaint);
      });
  });

  describe('lets through', () => {
    const role = (component: string) => ({ namespace: NAMESPACE, labels: labelsOf(component) });
    const elsewhere = (namespace: string, labels = {}) => ({ namespace, labels });
    const stranger = elsewhere('strangers');
    const monitoring = elsewhere('monitoring');
    const own = { ...stores, dev: { enabled: true }, redis: {}, postgres: {} };
    const cases: readonly (readonly [sentence: string, verdict: boolean, connection: Connection])[] = [
      ['the operator to what pods serve', true, { from: role('operator'), to: role('dataplane'), port: 4001 }],
      ['changes of keys to the operator', true, { from: role('dataplane'), to: role('operator'), port: 4001 }],
      ['everybody to the API', true, { from: stranger, to: role('dataplane'), port: 4000 }],
      ['Prometheus to metrics', true, { from: monitoring, to: role('dataplane'), port: 4001 }],
      ['Prometheus to metrics of the operator', true, { from: monitoring, to: role('operator'), port: 4001 }],
      ['strangers to metrics', false, { from: stranger, to: role('dataplane'), port: 4001 }],
      ['strangers to the operator', false, { from: stranger, to: role('operator'), port: 4001 }],
      ['strangers to Redis', false, { from: stranger, to: role('redis'), port: 6379 }],
      ['the operator to Postgres', false, { from: role('operator'), to: role('postgres'), port: 5432 }],
      ['data planes to Redis', true, { from: role('dataplane'), to: role('redis'), port: 6379 }],
      ['data planes to Postgres', true, { from: role('dataplane'), to: role('postgres'), port: 5432 }],
      ['Redis to anywhere', false, { from: role('redis'), to: '203.0.113.7', port: 443 }],
      ['data planes to providers', true, { from: role('dataplane'), to: '203.0.113.7', port: 443 }],
      ['data planes to providers over IPv6', true, { from: role('dataplane'), to: '2001:db8::7', port: 443 }],
      ['data planes to the secrets of a cloud', false, { from: role('dataplane'), to: '169.254.169.254', port: 80 }],
      ['data planes to the secrets of a cloud over TLS', false, { from: role('dataplane'), to: '169.254.169.254', port: 443 }],
      ['data planes to mail', false, { from: role('dataplane'), to: '203.0.113.7', port: 25 }],
      ['data planes to engines', true, { from: role('dataplane'), to: elsewhere('engines'), port: 8000 }],
      ['the operator to engines', false, { from: role('operator'), to: elsewhere('engines'), port: 8000 }],
      ['the operator to the API server', true, { from: role('operator'), to: '10.96.0.1', port: 443 }],
      ['names to be looked up', true, { from: role('operator'), to: '169.254.20.10', port: 53 }],
      ['the test to the API', true, { from: role('test'), to: role('dataplane'), port: 4000 }],
      ['the test to the operator', true, { from: role('test'), to: role('operator'), port: 4001 }],
      ['the test to what pods serve', false, { from: role('test'), to: role('dataplane'), port: 4001 }],
    ];
    let policies: readonly Manifest[];
    before(async () => {
      policies = await rendered(NAMESPACE, own);
    });
    for (const [sentence, verdict, connection] of cases)
      test(`${sentence}: ${verdict ? 'yes' : 'no'}`, () => assert.equal(allows(policies, connection), verdict));

    test('whom clientsFrom names, and then nobody else', async () => {
      const clientsFrom = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'apps' } } }];
      const narrow = await rendered(NAMESPACE, { ...stores, networkPolicy: { clientsFrom } });
      const to = { to: role('dataplane'), port: 4000 };
      assert.equal(allows(narrow, { from: elsewhere('apps'), ...to }), true);
      assert.equal(allows(narrow, { from: stranger, ...to }), false);
      assert.equal(allows(narrow, { from: role('test'), ...to }), true);
    });

    test('those to who tells a pod what it is in the cloud, where one is named, and nothing else there', async () => {
      const agents = [
        ['EKSPodIdentity', '169.254.170.23', 80],
        ['EKSPodIdentity', 'fd00:ec2::23', 80],
        ['GKE', '169.254.169.254', 80],
        ['GKE', '169.254.169.252', 988],
      ] as const;
      for (const identity of ['None', 'EKSPodIdentity', 'GKE']) {
        const manifests = await rendered(NAMESPACE, { ...stores, networkPolicy: { identity } });
        for (const [whose, to, port] of agents) {
          assert.equal(allows(manifests, { from: role('dataplane'), to, port }), identity === whose, `${identity}: ${to}`);
          assert.equal(allows(manifests, { from: role('operator'), to, port }), false);
        }
        assert.equal(allows(manifests, { from: role('dataplane'), to: '169.254.170.2', port: 80 }), false);
      }
    });

    test('the ports that the containers have, and no others', async () => {
      const manifests = await rendered(NAMESPACE);
      const ports = ['tollgate-operator', 'tollgate-dataplane'].flatMap(name => podSpec(manifests, name).containers);
      assert.equal(portOf(ports[1]!, 'http'), 4000);
      assert.deepEqual(
        ports.map(container => portOf(container, 'internal')),
        [4001, 4001],
      );
      for (const port of [22, 4000, 9229])
        assert.equal(allows(manifests, { from: role('dataplane'), to: role('operator'), port }), false, String(port));
    });
  });
});

function labelsOf(component: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'tollgate',
    'app.kubernetes.io/instance': 'tollgate',
    'app.kubernetes.io/component': component,
  };
}
