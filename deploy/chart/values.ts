// Every value of the Helm chart. An edit here is an edit of values.yaml, of its schema and of the README: `npm run gen`.
import {
  choice,
  countOrShare,
  dictionary,
  duration,
  environment,
  flag,
  integer,
  kubernetes,
  kubernetesList,
  optionalInteger,
  quantity,
  type Section,
  section,
  text,
  texts,
  type Values,
} from './value.ts';

/** Of a Kubernetes object. */
const NAME = '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$';
const NAMESPACE = '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$';
const CIDR = '^[0-9a-fA-F:.]+/[0-9]{1,3}$';
const URL_PATH = '^/[^ ]*$';

const existingSecret = (about: string, key: string): Values => ({
  existingSecret: text('', about, NAME),
  key: text(key, 'The key in that Secret.'),
});

/** What the pods of both roles have. */
const pod = (resources: object): Values => ({
  resources: kubernetes('Requests and limits of the container.', resources),
  serviceAccount: section('The service account of the pods.', {
    create: flag(true, 'Whether the chart makes it.'),
    name: text('', 'Its name; empty: made from the name of the release.', NAME),
    annotations: dictionary('Annotations of it, for a cloud that gives identities to service accounts.'),
  }),
  podAnnotations: dictionary('Annotations of the pods.'),
  podLabels: dictionary('Labels of the pods.'),
  podSecurityContext: kubernetes('Security context of the pods; this is what Pod Security "restricted" asks for.', {
    runAsNonRoot: true,
    runAsUser: 1000,
    runAsGroup: 1000,
    fsGroup: 1000,
    seccompProfile: { type: 'RuntimeDefault' },
  }),
  securityContext: kubernetes('Security context of the container.', {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }),
  nodeSelector: dictionary('Labels of the nodes that they run on.'),
  tolerations: kubernetesList('Taints of nodes that they tolerate.'),
  affinity: kubernetes('Affinity of the pods.'),
  topologySpreadConstraints: kubernetesList('How they are spread; empty: over zones and nodes, where that can be.'),
  priorityClassName: text('', 'Their priority class.', NAME),
  extraEnv: environment('More variables, as `env` of a container has them. Those that the chart sets itself are refused here.'),
  extraEnvFrom: kubernetesList('More variables, as `envFrom` has them.'),
  extraVolumes: kubernetesList('More volumes.'),
  extraVolumeMounts: kubernetesList('Where they are mounted.'),
});

const disruption = section('How many pods may be away when nodes are emptied.', {
  enabled: flag(true, 'Whether there is a PodDisruptionBudget.'),
  maxUnavailable: integer(1, 'How many of them.', 1, 1000),
});

const operator: Section = section('The operator: compiles the objects of the cluster and publishes the result.', {
  replicas: integer(2, 'One leads, the others wait. More than two gain nothing.', 0, 10),
  watchNamespaces: texts(
    [],
    'Look after these namespaces only, with Roles in each of them and none for the whole cluster; empty: all. They have to exist.',
    NAMESPACE,
  ),
  podDisruptionBudget: disruption,
  ...pod({ requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '384Mi' } }),
});

const autoscaling = section('How many data-plane pods there are.', {
  kind: choice('None', '`None`: always `replicas`. `HPA`: a HorizontalPodAutoscaler; `KEDA`: a ScaledObject.', [
    'None',
    'HPA',
    'KEDA',
  ]),
  minReplicas: integer(2, 'At least.', 1, 1000),
  maxReplicas: integer(10, 'At most.', 1, 1000),
  inflightRequests: integer(
    200,
    'Requests and streams under way that a pod is to have (`tollgate_inflight_requests`). Streams wait more than they compute, so that processor ' +
      'time alone notices them too late. An HPA has it from an adapter of custom metrics, KEDA from Prometheus. 0: not looked at.',
    0,
    100_000,
  ),
  cpuUtilization: integer(70, 'Percentage of the requested processor time. 0: not looked at.', 0, 1000),
  behavior: kubernetes('How fast it grows and shrinks. A pod that goes has to finish its streams first.', {
    scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: 'Pods', value: 1, periodSeconds: 120 }] },
    scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 30 }] },
  }),
  prometheusAddress: text('', 'Where KEDA asks Prometheus, as `http://prometheus.monitoring:9090`.', '^(https?://.+)?$'),
});

const dataplane: Section = section('The data plane: serves requests.', {
  replicas: integer(2, 'How many, where nothing scales them.', 0, 1000),
  autoscaling,
  podDisruptionBudget: disruption,
  maxSurge: countOrShare('25%', 'How many more there may be during an update. None is taken away before its successor is ready.'),
  preStopSeconds: integer(
    10,
    'How long a pod goes on as before when it is to end, until all load balancers have heard of it.',
    0,
    300,
  ),
  terminationGracePeriodSeconds: integer(
    630,
    'How long a pod may take to end. What is left of it after `preStopSeconds`, less ten seconds for its rows, is for streams to end: at least the ' +
      'longest `timeouts.request` of your routes.',
    30,
    3600,
  ),
  service: section('The Service for clients.', {
    type: choice('ClusterIP', 'Its type.', ['ClusterIP', 'NodePort', 'LoadBalancer']),
    port: integer(4000, 'Its port.', 1, 65_535),
    nodePort: optionalInteger('The port on each node, for type NodePort.', 1, 65_535),
    annotations: dictionary('Annotations of it.'),
    loadBalancerClass: text('', 'Who makes its load balancer, for type LoadBalancer.'),
    externalTrafficPolicy: choice('Cluster', 'For types NodePort and LoadBalancer.', ['Cluster', 'Local']),
  }),
  dataVolumeSize: quantity(
    '8Gi',
    'Most that the volume may hold which a pod keeps its spool and the last good configuration in; a pod that has more is evicted. The spool takes 6 GiB ' +
      'at most, while the ledger is away.',
  ),
  // Bodies that arrive take up to 512 MiB (docs/operations.md, "Limits on input"), and answers come on top.
  ...pod({ requests: { cpu: '500m', memory: '512Mi' }, limits: { memory: '2Gi' } }),
});

const settings = section('What both processes are told (docs/configuration.md). What is not here goes into `extraEnv`.', {
  listenAddress: choice('0.0.0.0', 'What the pods listen on; `::` where they have IPv6 addresses, with or without others.', [
    '0.0.0.0',
    '::',
  ]),
  logLevel: choice('info', 'What is logged.', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  allowHttpUpstreams: flag(false, 'Whether hosted providers may be reached over http.'),
  allowUpstreamCidrs: texts([], 'Address blocks that may be called although they are refused otherwise.', CIDR),
  adminOnPublic: flag(
    true,
    'Whether keys and reports are administered through the port for clients; else through the internal one.',
  ),
  region: text(
    '',
    'Where the pods run, in the words of `locality` of providers. Their zone is that of their node where Kubernetes tells it (1.35).',
  ),
  budgetExceededStatus: choice(402, 'HTTP status of a request that a budget refuses.', [400, 402, 429]),
  maxBodyBytes: optionalInteger('Largest request body.', 1024, 1_073_741_824),
  cacheMaxBytes: optionalInteger('What the cache of answers keeps at most.', 1_048_576, 1_099_511_627_776),
  ledgerRetentionDays: optionalInteger('Rows of the ledger that are older go; null: none.', 1, 100_000),
  otlpEndpoint: text('', 'Where traces go, by OTLP over HTTP; empty: none are made.', '^(https?://.+)?$'),
});

const dev = section(
  'Redis and Postgres of the chart itself, one pod each: to try things out. Losing them loses what was spent.',
  {
    enabled: flag(false, 'Whether they are there. A store with an `existingSecret` is not made.'),
    redisImage: text('redis:7.2-alpine', 'Image of Redis.'),
    postgresImage: text('postgres:17-alpine', 'Image of Postgres.'),
    postgresStorage: quantity('1Gi', 'Size of the volume of Postgres; empty: gone with its pod.'),
  },
);

const networkPolicy = section(
  'NetworkPolicies: nothing reaches a pod, and it reaches nothing, but what is listed. Needs a network that enforces them.',
  {
    enabled: flag(true, 'Whether there are any.'),
    clientsFrom: kubernetesList(
      "Who may send requests, as `from` of a NetworkPolicy; empty: everybody, as load balancers are nobody's pods.",
    ),
    monitoringFrom: kubernetesList('Who may read metrics, which tell tenants and costs, as `from`.', [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
    ]),
    except: texts(
      ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128'],
      'Address blocks that are left out where all addresses are meant: clouds tell secrets there.',
      CIDR,
    ),
    apiServer: section('Where the API server is.', {
      cidrs: texts(['0.0.0.0/0', '::/0'], 'Its addresses.', CIDR),
      ports: kubernetesPorts([443, 6443], 'Its ports.'),
    }),
    providers: section('Hosted providers.', {
      cidrs: texts(['0.0.0.0/0', '::/0'], 'Their addresses.', CIDR),
      ports: kubernetesPorts([443], 'Their ports.'),
    }),
    engines: section('Self-hosted engines.', {
      to: kubernetesList('Their pods, as `to` of a NetworkPolicy.', [{ namespaceSelector: {} }]),
      ports: kubernetesPorts([8000, 30_000], 'Their ports: of vLLM and of SGLang.'),
    }),
    stores: section('Redis and Postgres that are not of the chart.', {
      to: kubernetesList('Where they are, as `to`; empty: anywhere.'),
      ports: kubernetesPorts([5432, 6379, 6380, 26_379], 'Their ports.'),
    }),
    identity: choice(
      'None',
      'Who gives the pods an identity of the cloud, for Bedrock and Vertex AI: its addresses, which `except` leaves out, are let through. With IRSA none is needed.',
      ['None', 'EKSPodIdentity', 'GKE'],
    ),
    extraEgress: kubernetesList(
      'Where data-plane pods may connect to besides (a collector of traces, Sentry), as `egress` of a NetworkPolicy.',
    ),
  },
);

function kubernetesPorts(value: readonly number[], about: string) {
  const schema = { type: 'array', uniqueItems: true, items: { type: 'integer', minimum: 1, maximum: 65_535 } };
  return { default: value, schema, about };
}

const metrics = section('What Prometheus is told; it scrapes the internal port of both roles.', {
  monitor: choice('None', 'What Prometheus Operator looks at.', ['None', 'ServiceMonitor', 'PodMonitor']),
  renderMode: choice(
    'skipIfMissing',
    'Where the cluster does not know such objects: leave them out, fail, or write them all the same.',
    ['skipIfMissing', 'failIfMissing', 'alwaysRender'],
  ),
  interval: duration('30s', 'How often it scrapes; empty: as Prometheus does.'),
  labels: dictionary('Labels of monitors and rules, as some installations select by them.'),
  scrapeAnnotations: flag(true, 'Whether pods have `prometheus.io/scrape` annotations, for Prometheus without its operator.'),
  rules: section('Alerts, as a PrometheusRule.', {
    enabled: flag(false, 'Whether there is one.'),
    runbooks: text('docs/runbooks', 'Where the folder of runbooks is for those who are woken; alerts link to it.'),
  }),
  dashboards: section('Grafana dashboards as ConfigMaps, for a Grafana whose sidecar loads them.', {
    enabled: flag(false, 'Whether they are there.'),
    label: text('grafana_dashboard', 'The label that the sidecar looks for.'),
    labelValue: text('1', 'Its value.'),
    annotations: dictionary('Annotations of them, as the folder in Grafana.'),
  }),
});

const loadBalancer = section(
  'What is between clients and pods. Streams are silent until their first token, and last for minutes: load balancers are told.',
  {
    kind: choice(
      'None',
      "Whose words to use: the AWS Load Balancer Controller's for an Ingress (`ALB`) or the Service (`NLB`), GKE's for an Ingress (`GCE`) or a Gateway " +
        "(`GKEGateway`), ingress-nginx's (`Nginx`).",
      ['None', 'ALB', 'NLB', 'GCE', 'GKEGateway', 'Nginx'],
    ),
    idleTimeoutSeconds: integer(
      3600,
      'How long it lets a connection be silent, and, with GCE, GKEGateway and HTTPRoute, how long an answer may take in all: more than `timeouts.request` of ' +
        'any route.',
      60,
      4000,
    ),
    paths: texts(
      ['/v1', '/v1beta', '/v2', '/chat/completions', '/embeddings', '/model', '/models', '/rerank'],
      'What is to be reached through Ingress and HTTPRoute. For keys and reports from outside add `/key`, `/spend`, ' +
        '`/global`, `/cost`, `/user`, `/team`, `/tag`, `/cache`.',
      URL_PATH,
    ),
  },
);

const ingress = section('An Ingress.', {
  enabled: flag(false, 'Whether there is one.'),
  className: text('', 'Its class.', NAME),
  annotations: dictionary('Annotations of it; they win over those of `loadBalancer`.'),
  hosts: texts([], 'Names that clients use; empty: any.'),
  tls: kubernetesList('As `tls` of an Ingress.'),
});

const httpRoute = section('An HTTPRoute of the Gateway API.', {
  enabled: flag(false, 'Whether there is one.'),
  annotations: dictionary('Annotations of it.'),
  parentRefs: kubernetesList('The Gateways that it belongs to; at least one.'),
  hostnames: texts([], 'Names that clients use; empty: any.'),
});

export const chartValues: Values = {
  nameOverride: text('', 'Instead of `tollgate` in names and labels.', NAME),
  fullnameOverride: text('', 'The beginning of all names, instead of one made from the release.', NAME),
  commonLabels: dictionary('Labels of every object.'),
  global: section('Shared with charts around this one.', {
    imageRegistry: text('', 'Where images come from, the dev stores included.'),
    imagePullSecrets: kubernetesList('Secrets to pull with, as `- name: x`.'),
  }),
  image: section('The image of operator and data plane.', {
    registry: text('', 'Where it comes from; `global.imageRegistry` wins.'),
    repository: text('tollgate', 'Its name.'),
    tag: text('', "Empty: the version of the chart's application."),
    digest: text('', 'Instead of the tag, as `sha256:...`.', '^(sha256:[0-9a-f]{64})?$'),
    pullPolicy: choice('IfNotPresent', 'When it is pulled.', ['Always', 'IfNotPresent', 'Never']),
  }),
  crds: section('Definitions of LLMProvider, LLMRoute and TenantKey.', {
    install: flag(true, 'Whether the chart brings them, and updates them.'),
    keep: flag(true, 'Whether they stay when the chart is uninstalled. Without them all objects of these kinds are gone.'),
  }),
  rbac: section('Rights.', {
    create: flag(true, 'Whether the chart makes roles and bindings.'),
    aggregate: flag(
      true,
      'Whether who may view or edit a namespace may view or edit our objects in it. Not with `watchNamespaces`: it needs ClusterRoles.',
    ),
  }),
  masterKey: section('Who has it makes keys and reads all reports.', {
    enabled: flag(true, 'Without it there is no administration over HTTP.'),
    ...existingSecret('A Secret with it; empty: one is made, and kept.', 'TOLLGATE_MASTER_KEY'),
  }),
  redis: section(
    'Counters of limits and budgets, and the cache.',
    existingSecret('A Secret with the URL of Redis.', 'REDIS_URL'),
  ),
  postgres: section('The ledger.', existingSecret('A Secret with the URL of Postgres.', 'DATABASE_URL')),
  settings,
  operator,
  dataplane,
  loadBalancer,
  ingress,
  httpRoute,
  networkPolicy,
  metrics,
  dev,
  test: section('`helm test`.', {
    ...existingSecret(
      'A Secret with a tenant key that is asked with; empty: it is seen that nobody is let in without one.',
      'key',
    ),
  }),
  extraObjects: kubernetesList(
    'More objects, as they stand or with templates in their texts. Of our own kinds only where the definitions are there before the chart is installed.',
  ),
};
