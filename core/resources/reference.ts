// docs/resources.md, from the same schemas as the CRDs: every field, what it takes, its default, and the rules.
import { crdOf, type SchemaNode, structuralSchema } from './crd.ts';
import { API_VERSION, KINDS, type Kind, kinds } from './index.ts';

export function referencePage(): string {
  return [
    '# Resources',
    '',
    'Generated from the schemas in `core/resources/` by `npm run gen`; do not edit.',
    '',
    `Three kinds of \`${API_VERSION}\`, all namespaced. The same YAML runs in a cluster and from a folder of files. Money is a decimal`,
    'string in US dollars, a ratio a decimal string from 0 to 1, a duration a string such as `250ms`, `30s` or `24h`. A field that is',
    'absent and has no default is off or unlimited. Unknown fields are errors. `tollgate validate` says which fields of a',
    'manifest are accepted and not yet in force.',
    '',
    ...KINDS.flatMap(section),
  ].join('\n');
}

function section(kind: Kind): string[] {
  const { description, plural, shortName } = kinds[kind];
  const spec = structuralSchema(kinds[kind].spec);
  const status = structuralSchema(kinds[kind].status);
  const rules = rulesIn(spec, 'spec');
  return [
    `## ${kind}`,
    '',
    `${description} \`kubectl get ${plural}\`, short \`${shortName}\`; CRD \`crds/${crdOf(kind).metadata.name}.yaml\`.`,
    '',
    ...table(rowsOf(spec, 'spec')),
    ...(rules.length > 0 ? ['Rules:', '', ...rules, ''] : []),
    'Status:',
    '',
    ...table(rowsOf(status, 'status')),
  ];
}

const table = (rows: readonly string[]) => ['| Field | Takes | Default | |', '| --- | --- | --- | --- |', ...rows, ''];

function rowsOf(node: SchemaNode, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const isRequired = node.required?.includes(name) ?? false;
    const inner = child.items ?? child;
    const at = `${path}.${name}${child.items ? '[]' : ''}`;
    return [rowOf(at, child, isRequired), ...rowsOf(inner, at)];
  });
}

function rowOf(path: string, node: SchemaNode, isRequired: boolean): string {
  const preset = isRequired ? 'required' : presetOf(node.default);
  return `| \`${path}\` | ${takes(node)} | ${preset} | ${cell(node.description ?? '')} |`;
}

function presetOf(value: unknown): string {
  if (value === undefined) return '';
  const isLong = typeof value === 'object' && JSON.stringify(value).length > 120;
  return isLong ? 'Unknown, Pending' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function takes(node: SchemaNode): string {
  if (node.items) return `list of up to ${node.maxItems}${node.items.properties ? '' : `: ${takes(node.items)}`}`;
  if (node.enum) return node.enum.map(value => `\`${value}\``).join(', ');
  if (node['x-kubernetes-preserve-unknown-fields'] || node.additionalProperties) return 'mapping';
  if (node.type === 'integer') return `${node.minimum} to ${node.maximum}`;
  return node.type === 'object' ? '' : `${node.type}`;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

type Validation = { readonly rule: string; readonly message: string };

function rulesIn(node: SchemaNode, path: string): string[] {
  const own = (node['x-kubernetes-validations'] ?? []) as readonly Validation[];
  const lines = node.properties ? own.map(({ message }) => `- \`${path}\`: ${message}`) : [];
  const below = Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    child.items ? rulesIn(child.items, `${path}.${name}[]`) : rulesIn(child, `${path}.${name}`),
  );
  return [...lines, ...below];
}
