// Sets of values that the chart is tried with: its examples, and what no example has.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { CHART, stores } from './chart.ts';

const examples = globSync(`${CHART}/examples/*.yaml`)
  .sort()
  .map(file => [path.basename(file, '.yaml'), parse(readFileSync(file, 'utf8')) as object] as const);

const NGINX = {
  ...stores,
  loadBalancer: { kind: 'Nginx' },
  ingress: {
    enabled: true,
    className: 'nginx',
    hosts: ['llm.example.com'],
    tls: [{ hosts: ['llm.example.com'], secretName: 'tls' }],
  },
};

const GATEWAY = {
  ...stores,
  httpRoute: { enabled: true, parentRefs: [{ name: 'gateway', namespace: 'gateways' }], annotations: { team: 'platform' } },
};

/** As strict clusters want it: users that they choose, no NetworkPolicies, accounts and rights made by somebody else. */
const STRICT = {
  ...stores,
  crds: { install: false },
  rbac: { create: false },
  masterKey: { enabled: false },
  networkPolicy: { enabled: false },
  operator: {
    replicas: 1,
    podSecurityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: 'RuntimeDefault' } },
    podDisruptionBudget: { enabled: false },
    serviceAccount: { create: false, name: 'somebody' },
  },
  dataplane: { podDisruptionBudget: { enabled: false }, preStopSeconds: 0, dataVolumeSize: '' },
  metrics: { scrapeAnnotations: false },
};

const EVERYTHING = {
  nameOverride: 'gateway',
  fullnameOverride: 'llm',
  commonLabels: { team: 'platform' },
  global: { imageRegistry: 'registry.example.com/mirror/', imagePullSecrets: [{ name: 'pull' }], other: 'of another chart' },
  image: { digest: `sha256:${'0'.repeat(64)}` },
  dev: { enabled: true, postgresStorage: '' },
  settings: {
    allowUpstreamCidrs: ['10.0.0.0/8', 'fd00::/8'],
    region: 'eu',
    maxBodyBytes: 1_073_741_824,
    cacheMaxBytes: 1_099_511_627_776,
    ledgerRetentionDays: 400,
    otlpEndpoint: 'http://collector:4318',
  },
  operator: {
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'important',
    podLabels: { a: 'b' },
    podAnnotations: { c: 'd' },
    extraEnv: [{ name: 'TOLLGATE_PRICE_FILE', value: '/prices/prices.json' }],
    extraVolumes: [{ name: 'prices', configMap: { name: 'prices' } }],
    extraVolumeMounts: [{ name: 'prices', mountPath: '/prices', readOnly: true }],
  },
  dataplane: {
    autoscaling: { kind: 'KEDA', prometheusAddress: 'http://prometheus:9090' },
    extraEnv: [{ name: 'SENTRY_DSN', valueFrom: { secretKeyRef: { name: 'sentry', key: 'dsn' } } }],
    extraEnvFrom: [{ secretRef: { name: 'more', optional: true } }],
    extraVolumes: [{ name: 'certificates', secret: { secretName: 'certificates' } }],
    extraVolumeMounts: [{ name: 'certificates', mountPath: '/certificates', readOnly: true }],
    service: {
      type: 'LoadBalancer',
      loadBalancerClass: 'example.com/lb',
      externalTrafficPolicy: 'Local',
      annotations: { x: 'y' },
    },
  },
  networkPolicy: { extraEgress: [{ ports: [{ port: 4318 }] }], stores: { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] } },
  metrics: {
    monitor: 'PodMonitor',
    interval: '15s',
    labels: { release: 'prometheus' },
    rules: { enabled: true, runbooks: 'https://runbooks.example.com/tollgate/' },
    dashboards: { enabled: true, annotations: { grafana_folder: 'Tollgate' } },
  },
  test: { existingSecret: 'test-key' },
  extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'of-{{ .Release.Name }}' }, data: { a: 'b' } }],
};

/** By name. */
export const valueSets: readonly (readonly [name: string, values: object])[] = [
  ...examples,
  ['nginx', NGINX],
  ['gateway', GATEWAY],
  ['strict', STRICT],
  ['everything', EVERYTHING],
];
