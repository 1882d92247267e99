// CustomResourceDefinitions of others, reduced to the fields that the chart writes: what else stands there is refused. Sources: the API references of
// Prometheus Operator, KEDA, the Gateway API, and GKE ("BackendConfig parameters", "API reference" of its Gateway controller).
import { until } from '#test/support/until.ts';
import type { ApiServer } from './api-server.ts';

type Schema = { readonly [keyword: string]: unknown };

const text = { type: 'string' };
const integer = { type: 'integer' };
const quantity = { 'x-kubernetes-int-or-string': true };
const list = (items: Schema): Schema => ({ type: 'array', items });
const object = (properties: Readonly<Record<string, Schema>>, ...required: readonly string[]): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required }),
});
const dictionary = { type: 'object', additionalProperties: text };
const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: values });
/** Of Prometheus and of the Gateway API. */
const duration = { type: 'string', pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$' };

const selector = object({
  matchLabels: dictionary,
  matchExpressions: list(object({ key: text, operator: text, values: list(text) }, 'key', 'operator')),
});
const scrape = list(object({ port: text, path: text, interval: duration }));
const behavior = object({
  stabilizationWindowSeconds: integer,
  selectPolicy: text,
  policies: list(
    object({ type: oneOf('Pods', 'Percent'), value: integer, periodSeconds: integer }, 'type', 'value', 'periodSeconds'),
  ),
});
const toService = object({ group: text, kind: text, name: text }, 'group', 'kind', 'name');

type Foreign = { readonly group: string; readonly version: string; readonly kind: string; readonly spec: Schema };

const foreign: readonly Foreign[] = [
  {
    group: 'monitoring.coreos.com',
    version: 'v1',
    kind: 'ServiceMonitor',
    spec: object({ selector, endpoints: scrape }, 'selector', 'endpoints'),
  },
  {
    group: 'monitoring.coreos.com',
    version: 'v1',
    kind: 'PodMonitor',
    spec: object({ selector, podMetricsEndpoints: scrape }, 'selector'),
  },
  {
    group: 'monitoring.coreos.com',
    version: 'v1',
    kind: 'PrometheusRule',
    spec: object({
      groups: list(
        object(
          {
            name: text,
            interval: duration,
            rules: list(
              object(
                { alert: text, record: text, expr: quantity, for: duration, labels: dictionary, annotations: dictionary },
                'expr',
              ),
            ),
          },
          'name',
        ),
      ),
    }),
  },
  {
    group: 'keda.sh',
    version: 'v1alpha1',
    kind: 'ScaledObject',
    spec: object(
      {
        scaleTargetRef: object({ name: text }, 'name'),
        minReplicaCount: integer,
        maxReplicaCount: integer,
        advanced: object({
          horizontalPodAutoscalerConfig: object({ behavior: object({ scaleUp: behavior, scaleDown: behavior }) }),
        }),
        triggers: list(object({ type: text, metricType: text, metadata: dictionary }, 'type', 'metadata')),
      },
      'scaleTargetRef',
      'triggers',
    ),
  },
  {
    group: 'gateway.networking.k8s.io',
    version: 'v1',
    kind: 'HTTPRoute',
    spec: object({
      parentRefs: list(object({ name: text, namespace: text, sectionName: text }, 'name')),
      hostnames: list(text),
      rules: list(
        object({
          matches: list(object({ path: object({ type: oneOf('Exact', 'PathPrefix', 'RegularExpression'), value: text }) })),
          backendRefs: list(object({ name: text, port: integer }, 'name')),
          timeouts: object({ request: duration, backendRequest: duration }),
        }),
      ),
    }),
  },
  {
    group: 'cloud.google.com',
    version: 'v1',
    kind: 'BackendConfig',
    spec: object({
      timeoutSec: integer,
      connectionDraining: object({ drainingTimeoutSec: integer }),
      healthCheck: object({ type: oneOf('HTTP', 'HTTPS', 'HTTP2'), requestPath: text, port: integer, checkIntervalSec: integer }),
    }),
  },
  {
    group: 'networking.gke.io',
    version: 'v1',
    kind: 'GCPBackendPolicy',
    spec: object({
      default: object({ timeoutSec: integer, connectionDraining: object({ drainingTimeoutSec: integer }) }),
      targetRef: toService,
    }),
  },
  {
    group: 'networking.gke.io',
    version: 'v1',
    kind: 'HealthCheckPolicy',
    spec: object({
      default: object({
        checkIntervalSec: integer,
        config: object({ type: text, httpHealthCheck: object({ port: integer, requestPath: text }) }),
      }),
      targetRef: toService,
    }),
  },
];

/** As `group/Kind`. */
export const foreignKinds: readonly string[] = foreign.map(({ group, kind }) => `${group}/${kind}`);

const plural = (kind: string): string => (kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`).toLowerCase();

/** Resolves when the server serves them all, and tells of them. */
export async function applyForeignCrds(server: ApiServer): Promise<void> {
  for (const { group, version, kind, spec } of foreign) {
    const name = `${plural(kind)}.${group}`;
    await server.apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name, annotations: { 'api-approved.kubernetes.io': 'unapproved, a stub for tests' } },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind, plural: plural(kind), singular: kind.toLowerCase(), listKind: `${kind}List` },
        versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: object({ spec }, 'spec') } }],
      },
    });
  }
  for (const { group, version, kind } of foreign)
    await until(
      `${kind} is served`,
      async () => (await server.try('GET', `/apis/${group}/${version}/${plural(kind)}`)).status === 200,
      30_000,
    );
}
