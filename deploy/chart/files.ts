// values.yaml, values.schema.json and the table of the README, made of values.ts.
import { stringify } from 'yaml';
import { isLeaf, type Leaf, type Schema, type Section, type Values } from './value.ts';
import { chartValues } from './values.ts';

const WIDTH = 130;

/** With a comment for each value. */
export function valuesYaml(values: Values = chartValues): string {
  const top = Object.entries(values).map(([name, value]) => entryYaml(name, value, ''));
  return `# Generated from deploy/chart/values.ts by \`npm run gen\`; do not edit.\n\n${top.join('\n')}`;
}

function entryYaml(name: string, value: Leaf | Section, indent: string): string {
  const comment = wrapped(value.about, WIDTH - indent.length - 2).map(line => `${indent}# ${line}\n`);
  if (!isLeaf(value)) {
    const inner = Object.entries(value.values).map(([child, of]) => entryYaml(child, of, `${indent}  `));
    return `${comment.join('')}${indent}${name}:\n${inner.join('')}`;
  }
  const yaml = stringify({ [name]: value.default }, { lineWidth: 0 }).trimEnd();
  return `${comment.join('')}${yaml.replaceAll(/^/gm, indent)}\n`;
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Strict: what is not in values.ts is refused. `global` may have what other charts put there. */
export function valuesSchema(values: Values = chartValues): string {
  const root = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $comment: 'Generated from deploy/chart/values.ts by `npm run gen`; do not edit.',
    ...sectionSchema({ about: 'Values of the chart.', values }),
  };
  return `${JSON.stringify(root, undefined, 2)}\n`;
}

function sectionSchema({ about, values }: Section): Schema {
  const properties = Object.entries(values).map(([name, value]) => {
    const schema = isLeaf(value) ? { description: value.about, ...value.schema } : sectionSchema(value);
    return [name, name === 'global' ? { ...schema, additionalProperties: true } : schema] as const;
  });
  return { description: about, type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) };
}

/** A table for each section. */
function valuesTables(values: Values = chartValues): string {
  const rows = rowsOf(values, '').map(({ path, value, about }) => `| \`${path}\` | ${value} | ${about} |`);
  return ['| Value | Default | |', '| --- | --- | --- |', ...rows].join('\n');
}

type Row = { readonly path: string; readonly value: string; readonly about: string };

const rowsOf = (values: Values, prefix: string): readonly Row[] =>
  Object.entries(values).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    if (isLeaf(value)) return [{ path, value: inCell(value.default), about: value.about }];
    return [{ path, value: '', about: value.about }, ...rowsOf(value.values, `${path}.`)];
  });

const inCell = (value: unknown): string => (value === '' ? '' : `\`${JSON.stringify(value).replaceAll('|', '\\|')}\``);

export const chartReadme = (): string => `<!-- Generated from deploy/chart by \`npm run gen\`; do not edit. -->
# Tollgate

A gateway for LLM traffic with an operator: the APIs of OpenAI, Anthropic, Google and Bedrock in front; retries, fallbacks, budgets and a ledger of every cost behind. Needs Kubernetes
1.30 and Helm 3.14 or 4.

    kubectl create namespace tollgate-system
    kubectl --namespace tollgate-system create secret generic tollgate-stores \\
      --from-literal=REDIS_URL=redis://... --from-literal=DATABASE_URL=postgres://...
    helm install tollgate charts/tollgate --namespace tollgate-system \\
      --set image.registry=REGISTRY --set redis.existingSecret=tollgate-stores --set postgres.existingSecret=tollgate-stores

Step by step, on kind, EKS and GKE: docs/install.md of the project. To try it out without stores of your own: \`--set dev.enabled=true\`. \`helm test tollgate --namespace tollgate-system\` asks both roles whether they are well.

One release for each namespace: the objects that operator and data plane meet in have fixed names. Two releases that look after the same namespaces write
each other's statuses; give each its own by \`operator.watchNamespaces\`.

## Examples

| Values | |
| --- | --- |
| [examples/minimal.yaml](examples/minimal.yaml) | your Redis and Postgres, and nothing else |
| [examples/kind.yaml](examples/kind.yaml) | a cluster on a laptop |
| [examples/eks.yaml](examples/eks.yaml) | an ALB; KEDA; an identity for Bedrock |
| [examples/eks-nlb.yaml](examples/eks-nlb.yaml) | an NLB |
| [examples/gke.yaml](examples/gke.yaml) | a Gateway; an HPA; an identity for Vertex AI |
| [examples/gke-ingress.yaml](examples/gke-ingress.yaml) | an Ingress of Google's |
| [examples/high-availability.yaml](examples/high-availability.yaml) | three zones, alerts, dashboards |
| [examples/namespaced.yaml](examples/namespaced.yaml) | Roles in two namespaces, and nothing for the whole cluster |

## Streams

A stream is silent until its first token and may last for minutes after it, so what stands in front has to be patient: \`loadBalancer.kind\` says it in the words of
the load balancer, \`loadBalancer.idleTimeoutSeconds\` for how long. An NLB with a TLS listener lets a connection be silent for 350 s and no longer. A pod that is to end goes on
for \`preStopSeconds\`, then takes nothing new and finishes its streams within \`terminationGracePeriodSeconds\`; load balancers are told to wait as long.
Spot nodes give less time than that.

## Scaling

\`dataplane.autoscaling.kind: KEDA\` asks Prometheus. An HPA needs an adapter that offers \`tollgate_inflight_requests\` of pods; a rule for prometheus-adapter:

    - seriesQuery: 'tollgate_inflight_requests{namespace!="",pod!=""}'
      resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
      metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'

Without one, set \`inflightRequests: 0\` and it goes by processor time.

## Secrets

The master key is made once and kept, also over an uninstall. \`helm template\` and tools that work like it cannot see what is there and would make another one
each time: name an \`existingSecret\` there, and none of the dev stores. A changed Secret is taken up by a restart:
\`kubectl rollout restart deployment/tollgate-dataplane deployment/tollgate-operator\`.

## Upgrade and uninstall

\`helm upgrade\` brings new definitions along. Operator and data plane understand each other one version apart, in any order. An upgrade leaves the number of
pods to what scales them; back to a fixed number, Helm 4 wants \`--force-conflicts\`. \`helm uninstall\` leaves the definitions (\`crds.keep\`) with all
objects, the master key, and what was published; pods are gone. To be rid of everything:
\`kubectl delete crd llmproviders.tollgate.dev llmroutes.tollgate.dev tenantkeys.tollgate.dev\`.

Definitions that were there before (\`kubectl apply -f crds/\`) belong to nobody, and Helm takes nothing over unasked: \`crds.install=false\`, or \`helm install --take-ownership\`.

## Values

${valuesTables()}
`;
