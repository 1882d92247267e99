// Golden cases: testdata/<case>.in.yaml is a first document of settings, then manifests; <case>.out.yaml is what compile makes of them.
// TOLLGATE_GOLDEN=write rewrites the outputs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Document, isNode, LineCounter, parseAllDocuments, stringify } from 'yaml';
import { epochMillis } from '../units.ts';
import {
  type Catalogue,
  type CatalogueModel,
  type Compiled,
  compile,
  type FoundEngines,
  type PriceFile,
  type RotatedOut,
  type SourceObject,
} from './index.ts';

type Settings = {
  /** The rule the case is about; the name of the test. */
  readonly says: string;
  /** Parts of the result to write down; verdicts are always there. */
  readonly show?: readonly ('providers' | 'routes' | 'keys' | 'tenants' | 'credentials')[];
  readonly policy?: Partial<Parameters<typeof compile>[0]['policy']>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly now?: string;
  readonly generated?: Readonly<Record<string, string>>;
  readonly rotatedOut?: Readonly<Record<string, readonly RotatedOut[]>>;
  /** By `namespace/name`: what the cluster has for a provider. */
  readonly engines?: Readonly<Record<string, FoundEngines>>;
  /** By `owner/model`. */
  readonly catalogue?: Readonly<Record<string, CatalogueModel>>;
  readonly priceFile?: PriceFile;
};

const folder = join(import.meta.dirname, 'testdata');
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

function caseNamed(name: string): { readonly says: string; readonly result: () => string } {
  const text = readFileSync(join(folder, `${name}.in.yaml`), 'utf8');
  const counter = new LineCounter();
  const [head, ...documents] = parseAllDocuments(text, { lineCounter: counter }) as Document[];
  const settings = head?.toJS() as Settings;
  const compiled = () =>
    compile({
      objects: documents.map(document => objectOf(document, `${name}.in.yaml`, counter)),
      policy: { standalone: true, allowHttpUpstreams: false, allowUpstreamCidrs: [], ...settings.policy },
      environment: settings.environment ?? {},
      catalogue: catalogueOf(settings.catalogue ?? {}),
      ...(settings.priceFile && { priceFile: settings.priceFile }),
      digest,
      now: epochMillis(Date.parse(settings.now ?? '2026-11-21T00:00:00Z')),
      generated: new Map(Object.entries(settings.generated ?? {})),
      ...(settings.rotatedOut && { rotatedOut: new Map(Object.entries(settings.rotatedOut)) }),
      ...(settings.engines && { engines: new Map(Object.entries(settings.engines)) }),
    });
  const style = { lineWidth: 0, aliasDuplicateObjects: false };
  return { says: settings.says, result: () => stringify(written(compiled(), settings.show ?? []), style) };
}

function objectOf(document: Document, file: string, counter: LineCounter): SourceObject {
  const lineAt = (node: unknown) => (isNode(node) && node.range ? counter.linePos(node.range[0]).line : undefined);
  const lineOf = (path: readonly (string | number)[]): number | undefined =>
    lineAt(path.length === 0 ? document.contents : document.getIn(path, true)) ??
    (path.length > 0 ? lineOf(path.slice(0, -1)) : undefined);
  return { value: document.toJS(), source: { file, line: lineAt(document.contents) ?? 1, lineOf } };
}

const catalogueOf = (models: Readonly<Record<string, CatalogueModel>>): Catalogue => ({
  version: 'case',
  find: (owner, model) => models[`${'id' in owner ? owner.id : owner.url}/${model}`],
});

/** Conditions as `status reason`, and those that say nothing left out, so that a case shows what it is about. */
function written({ snapshot, verdicts, credentials }: Compiled, show: NonNullable<Settings['show']>) {
  const parts = { ...snapshot, credentials: Object.fromEntries(credentials) };
  return {
    verdicts: verdicts.map(({ conditions, problems, notInForce, file: _, ...verdict }) => ({
      ...verdict,
      conditions: Object.fromEntries(
        conditions.filter(c => c.reason !== 'Pending').map(c => [c.type, `${c.status} ${c.reason}`]),
      ),
      ...(problems.length > 0 && { problems }),
      ...(notInForce.length > 0 && { notInForce }),
    })),
    ...Object.fromEntries(show.map(part => [part, parts[part]])),
  };
}

describe('compile', () => {
  const names = readdirSync(folder).flatMap(file => /^(.*)\.in\.yaml$/.exec(file)?.[1] ?? []);
  for (const name of names) {
    const { says, result: make } = caseNamed(name);
    test(`${name}: ${says}`, () => {
      const file = join(folder, `${name}.out.yaml`);
      const result = make();
      if (process.env.TOLLGATE_GOLDEN === 'write') writeFileSync(file, result);
      assert.equal(result, readFileSync(file, 'utf8'));
    });
  }
});

const anyObject = (value: unknown): SourceObject => ({ value });
const compileAny = (values: readonly unknown[]) =>
  compile({
    objects: values.map(anyObject),
    policy: { standalone: false, allowHttpUpstreams: false, allowUpstreamCidrs: ['not a block', '10.0.0.0/99'] },
    environment: {},
    catalogue: catalogueOf({}),
    digest,
    now: epochMillis(0),
    generated: new Map(),
  });

describe('compile, whatever it is given,', () => {
  const kind = fc.constantFrom('LLMProvider', 'LLMRoute', 'TenantKey', 'Secret', 'Namespace', 'ConfigMap');
  const apiVersion = fc.constantFrom('tollgate.dev/v1alpha1', 'v1', 'tollgate.dev/v2', '');
  const manifest = fc.record(
    {
      apiVersion,
      kind,
      metadata: fc.oneof(fc.record({ name: fc.string(), namespace: fc.string() }), fc.jsonValue()),
      spec: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );

  test('never throws, and gives each object that is no sound Secret or Namespace one verdict', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(manifest, fc.jsonValue()), { maxLength: 8 }), values => {
        const { verdicts, snapshot } = compileAny(values);
        assert.ok(verdicts.length <= values.length);
        assert.deepEqual(Object.keys(snapshot.providers), []);
        assert.ok(verdicts.every(verdict => verdict.conditions.length === 4));
      }),
      { numRuns: 300 },
    );
  });

  test('does not let a key __proto__ reach a prototype', () => {
    const parameters = JSON.parse('{"set": {"__proto__": {"polluted": true}}}') as unknown;
    const spec = {
      type: 'OpenAICompatible',
      openAICompatible: { baseURL: 'https://a.example/v1' },
      models: [{ name: 'm' }],
      parameters,
    };
    compileAny([{ apiVersion: 'tollgate.dev/v1alpha1', kind: 'LLMProvider', metadata: { name: 'p' }, spec }]);
    assert.equal(({} as { polluted?: true }).polluted, undefined);
  });
});

test('ten thousand keys compile in well under a second', () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => ({
    apiVersion: 'tollgate.dev/v1alpha1',
    kind: 'TenantKey',
    metadata: { name: `key-${index}`, labels: { team: 'search' } },
    spec: {
      tenant: `tenant-${index % 500}`,
      digest: `sha256:${index.toString(16).padStart(64, '0')}`,
      models: { allow: ['gpt-*'] },
    },
  }));
  const start = performance.now();
  const { snapshot } = compileAny(keys);
  assert.equal(snapshot.keys.length, 10_000);
  // Measured at 250 ms; the margin is for machines that do other things as well.
  assert.ok(performance.now() - start < 3000);
});
