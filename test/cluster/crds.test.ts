// Every CEL rule of the CRDs on a real API server: an object that it lets pass, and one that it refuses for that very reason. A rule
// without its two objects here fails the test, and so do objects without a rule.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { until } from '#test/support/until.ts';
import { kubectlPath } from '../../tools/places.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { measuring } from './support/figures.ts';

type Kind = 'LLMProvider' | 'LLMRoute' | 'TenantKey';
/** Values by path below spec; undefined takes the field away. */
type Change = Readonly<Record<string, unknown>>;
type Case = {
  readonly kind: Kind;
  /** Where the rule is: `spec.models[].price`. */
  readonly at: string;
  readonly rule: string;
  readonly passes: Change;
  readonly fails: Change;
};

const plurals: Readonly<Record<Kind, string>> = { LLMProvider: 'llmproviders', LLMRoute: 'llmroutes', TenantKey: 'tenantkeys' };
const auth = { secretRef: { name: 'a', key: 'b' } };

/** What every change begins with. */
const sound: Readonly<Record<Kind, object>> = {
  LLMProvider: { type: 'OpenAI', auth, models: [{ name: 'm' }] },
  LLMRoute: { match: [{ model: { value: 'm' } }], backends: [{ name: 'a', providerRef: { name: 'p' } }] },
  TenantKey: { tenant: 't', secretRef: { name: 'a', key: 'b' } },
};

const ofType = (type: string, block: string, value: object): Change => ({ type, [block]: value });
const azure = ofType('AzureOpenAI', 'azureOpenAI', { endpoint: 'https://x.openai.azure.com' });
const bedrock = ofType('Bedrock', 'bedrock', { region: 'eu-west-1' });
const compatible = ofType('OpenAICompatible', 'openAICompatible', { baseURL: 'http://10.0.0.1/v1' });
const vllm = ofType('VLLM', 'vLLM', { serviceRef: { name: 's', port: 8000 } });

const provider = (rule: string, passes: Change, fails: Change, at = 'spec'): Case => ({
  kind: 'LLMProvider',
  at,
  rule,
  passes,
  fails,
});
const route = (rule: string, passes: Change, fails: Change, at = 'spec'): Case => ({ kind: 'LLMRoute', at, rule, passes, fails });
const url = 'https://checks.example/';
const http = { url, onFailure: 'Deny' };
const mask = { action: 'Mask' };
const hookRule = (rule: string, passes: object, fails: object, at = 'spec.hooks[]'): Case => {
  const hooks = (hook: object): Change => ({ hooks: [{ name: 'h', when: 'Before', ...hook }] });
  return route(rule, hooks(passes), hooks(fails), at);
};
const key = (rule: string, passes: Change, fails: Change, at = 'spec'): Case => ({ kind: 'TenantKey', at, rule, passes, fails });

const duration = (kind: Kind, path: string, base: Change = {}): Case => ({
  kind,
  at: `spec.${path}`,
  rule: 'must be more than 0s and at most 24h',
  passes: { ...base, [path]: '24h' },
  fails: { ...base, [path]: '25h' },
});

const selector = (kind: Kind, path: string): Case => ({
  kind,
  at: `spec.${path}`,
  rule: 'selector is set exactly when from is Selector',
  passes: { [path]: { from: 'Selector', selector: { matchLabels: { a: 'b' } } } },
  fails: { [path]: { from: 'Same', selector: { matchLabels: { a: 'b' } } } },
});

const httpsOnly = (block: string, field: string, base: Change): Case =>
  provider(
    `${block}.${field} must begin with https://`,
    { ...base, [`${block}.${field}`]: 'https://example.com' },
    { ...base, [`${block}.${field}`]: 'http://example.com' },
  );

const cascade = { steps: [{ backend: 'a' }] };
const semantic = { tasks: [{ name: 't', examples: ['x'], backend: 'a' }], otherwise: 'a' };
const steps = (...names: string[]) => ({ 'cascade.steps': names.map(backend => ({ backend })) });
const twoBackends = ['a', 'b'].map(name => ({ name, providerRef: { name: 'p' } }));

const cases: readonly Case[] = [
  provider('openAI may only be set when type is OpenAI', { openAI: {} }, { type: 'Anthropic', openAI: {} }),
  provider('anthropic may only be set when type is Anthropic', { type: 'Anthropic', anthropic: {} }, { anthropic: {} }),
  provider('azureOpenAI is set exactly when type is AzureOpenAI', azure, { type: 'AzureOpenAI' }),
  provider('gemini may only be set when type is Gemini', { type: 'Gemini', gemini: {} }, { gemini: {} }),
  provider('bedrock is set exactly when type is Bedrock', bedrock, { type: 'Bedrock' }),
  provider('openAICompatible is set exactly when type is OpenAICompatible', compatible, { type: 'OpenAICompatible' }),
  provider('vLLM is set exactly when type is VLLM', vllm, { type: 'VLLM' }),
  provider('auth is required for this type', { ...vllm, auth: undefined }, { auth: undefined }),
  provider('probes may only be set when type is VLLM', { ...vllm, probes: {} }, { probes: {} }),
  httpsOnly('openAI', 'baseURL', {}),
  httpsOnly('anthropic', 'baseURL', { type: 'Anthropic' }),
  httpsOnly('azureOpenAI', 'endpoint', { type: 'AzureOpenAI' }),
  httpsOnly('gemini', 'baseURL', { type: 'Gemini' }),
  httpsOnly('bedrock', 'endpoint', bedrock),
  provider(
    'exactly one of serviceRef, podSelector, endpoints must be set',
    { ...vllm, vLLM: { endpoints: ['http://10.0.0.5:8000'] } },
    { ...vllm, 'vLLM.endpoints': ['http://10.0.0.5:8000'] },
    'spec.vLLM',
  ),
  provider(
    'port is set exactly when podSelector is',
    { ...vllm, vLLM: { podSelector: { matchLabels: { a: 'b' } }, port: 8000 } },
    { ...vllm, vLLM: { podSelector: { matchLabels: { a: 'b' } } } },
    'spec.vLLM',
  ),
  provider(
    'gpuHour and gpus go together',
    { ...vllm, 'models[0].price': { gpuHour: '1.50', gpus: 1 } },
    { ...vllm, 'models[0].price': { gpuHour: '1.50' } },
    'spec.models[].price',
  ),
  provider(
    'a price needs inputPerMTok, outputPerMTok, perRequest, perUnit, perToolCall, serviceTiers or gpuHour',
    { 'models[0].price': { perRequest: '0.01' } },
    { 'models[0].price': { cachedInputPerMTok: '0.01' } },
    'spec.models[].price',
  ),
  ...['limits.queueTimeout', 'timeouts.connect', 'timeouts.firstToken', 'timeouts.streamIdle', 'timeouts.request'].map(path =>
    duration('LLMProvider', path),
  ),
  ...['window', 'cooldown', 'maxCooldown'].map(field => duration('LLMProvider', `circuitBreaker.${field}`)),
  ...['interval', 'staleAfter', 'wedgedAfter'].map(field => duration('LLMProvider', `probes.${field}`, vllm)),
  selector('LLMProvider', 'allowedRoutes.namespaces'),

  route('exactly one of match, catchAll: true must be set', { match: undefined, catchAll: true }, { catchAll: true }),
  route('at least one backend must have a positive weight', { 'backends[0].weight': 1 }, { 'backends[0].weight': 0 }),
  ...['contentFiltered', 'contextLengthExceeded'].map(field =>
    route(
      `fallback.${field} must name backends of this route`,
      { [`fallback.${field}`]: ['a'] },
      { [`fallback.${field}`]: ['nobody'] },
    ),
  ),
  route(
    'cascade cannot be combined with a strategy other than Weighted',
    { cascade, strategy: 'Weighted' },
    { cascade, strategy: 'RoundRobin' },
  ),
  route('cascade.steps must name backends of this route', steps('a'), steps('nobody')),
  route(
    'cascade.steps must name each backend once',
    { backends: twoBackends, ...steps('a', 'b') },
    { backends: twoBackends, ...steps('a', 'a') },
  ),
  route('strategy Semantic needs semantic', { strategy: 'Semantic', semantic }, { strategy: 'Semantic' }),
  route(
    'semantic.tasks must name backends of this route',
    { strategy: 'Semantic', semantic },
    { strategy: 'Semantic', semantic, 'semantic.tasks[0].backend': 'nobody' },
  ),
  route(
    'semantic.otherwise must name a backend of this route',
    { strategy: 'Semantic', semantic },
    { strategy: 'Semantic', semantic, 'semantic.otherwise': 'nobody' },
  ),
  hookRule('exactly one of http, sensitiveData must be set', { http }, { http, sensitiveData: mask }),
  hookRule('sensitiveData decides: mode Observe is for http', { sensitiveData: mask }, { sensitiveData: mask, mode: 'Observe' }),
  hookRule('http.onFailure is set exactly where mode is Decide', { http: { url }, mode: 'Observe' }, { http: { url } }),
  hookRule(
    'holdStream is for hooks that decide about answers',
    { http, when: 'After', holdStream: true },
    { http, holdStream: true },
  ),
  hookRule(
    'sensitiveData.restore is for what is masked in requests',
    { sensitiveData: { ...mask, restore: true } },
    { sensitiveData: { action: 'Deny', restore: true } },
  ),
  hookRule(
    'must be more than 0s and at most 30s',
    { http: { ...http, timeout: '30s' } },
    { http: { ...http, timeout: '31s' } },
    'spec.hooks[].http.timeout',
  ),
  hookRule(
    'value, secretRef or both must be set',
    { http: { ...http, headers: [{ name: 'X-A', value: 'b' }] } },
    { http: { ...http, headers: [{ name: 'X-A' }] } },
    'spec.hooks[].http.headers[]',
  ),
  route(
    'a match must name something; use catchAll for everything else',
    { match: [{ tags: { task: 'classify' } }] },
    { match: [{ headers: [] }] },
    'spec.match[]',
  ),
  ...['retries.backoff.base', 'retries.backoff.max', 'earlyHeartbeat', 'timeouts.request', 'timeouts.streamIdle'].map(path =>
    duration('LLMRoute', path),
  ),
  duration('LLMRoute', 'cascade.scorer.timeout', { cascade, 'cascade.scorer.url': 'http://scorer.llm.svc' }),
  selector('LLMRoute', 'allowedKeys.namespaces'),

  key(
    'exactly one of secretRef, generate, digest must be set',
    { secretRef: undefined, digest: `sha256:${'a'.repeat(64)}` },
    { digest: `sha256:${'a'.repeat(64)}` },
  ),
  key(
    'rotation needs generate',
    { secretRef: undefined, generate: { secretName: 's' }, rotation: { every: '2160h' } },
    { rotation: { every: '2160h' } },
  ),
];

/** Those that look at what was there before: a change that passes and one that does not. */
const changes: readonly Case[] = [
  provider('type is immutable', { 'models[0].aliases': ['n'] }, { type: 'Anthropic' }),
  key('tenant is immutable', { alias: 'x' }, { tenant: 'u' }),
];

const nameOfCase = ({ kind, at, rule }: Case): string => `${kind} ${at}: ${rule}`;
const collection = (kind: Kind): string => `/apis/tollgate.dev/v1alpha1/namespaces/default/${plurals[kind]}`;

test('every rule of the CRDs has an object that it lets pass and one that it refuses', () => {
  const rules = globSync('crds/*.yaml').flatMap(file => rulesIn(parse(readFileSync(file, 'utf8'))));
  assert.deepEqual([...cases, ...changes].map(nameOfCase).toSorted(), rules.toSorted());
});

describe('a real API server', { skip: withoutApiServer }, () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
  });
  after(() => server?.stop());

  const offered = (kind: Kind, change: Change) =>
    server.try('POST', `${collection(kind)}?dryRun=All`, manifest(kind, 'offered', change));

  for (const of of cases) {
    test(nameOfCase(of), async () => {
      const passed = await offered(of.kind, of.passes);
      assert.equal(passed.status, 201, JSON.stringify(passed.body));
      assertRefusal(await offered(of.kind, of.fails), of.rule);
    });
  }

  for (const of of changes) {
    test(nameOfCase(of), async () => {
      const name = `changed-${of.kind.toLowerCase()}`;
      const made = await server.call<{ metadata: object }>('POST', collection(of.kind), manifest(of.kind, name, {}));
      const changed = (change: Change) =>
        server.try('PUT', `${collection(of.kind)}/${name}?dryRun=All`, {
          ...manifest(of.kind, name, change),
          metadata: made.metadata,
        });
      assert.equal((await changed(of.passes)).status, 200);
      assertRefusal(await changed(of.fails), of.rule);
    });
  }

  test('gives a new object conditions that say that nobody has looked at it yet', async () => {
    type Made = {
      readonly status: {
        readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
      };
    };
    for (const kind of Object.keys(plurals) as Kind[]) {
      const made = await server.call<Made>('POST', `${collection(kind)}?dryRun=All`, manifest(kind, 'new', {}));
      assert.ok(made.status.conditions.length >= 3);
      for (const { status, reason } of made.status.conditions)
        assert.deepEqual({ status, reason }, { status: 'Unknown', reason: 'Pending' });
    }
  });

  describe('and kubectl', { skip: kubectlPath() ? false : 'there is no kubectl: npm run tools' }, () => {
    const kubectl = async (...args: string[]): Promise<string> => {
      const { kubeconfig } = await server.access();
      return (await promisify(execFile)(kubectlPath()!, ['--kubeconfig', kubeconfig, ...args])).stdout;
    };

    test('take the CRDs again, from the client and from the server', async () => {
      await kubectl('apply', '--server-side', '--force-conflicts', '-f', 'crds/');
      for (const name of Object.values(plurals)) await kubectl('delete', 'crd', `${name}.tollgate.dev`, '--wait');
      assert.equal((await kubectl('apply', '-f', 'crds/')).match(/created/g)?.length, 3);
      await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
      measuring(import.meta.filename)({
        row: '23',
        goal: 'CRDs accepted by the API server; each CEL rule has an object that passes and one that fails',
        measured: `${cases.length + changes.length} rules, each with both; applied by kubectl from the client and from the server`,
        isMet: true,
      });
    });

    test('explain a field in words', async () => {
      // The server publishes what it knows of a CRD some time after the CRD is established.
      const text = await until('explained', () => kubectl('explain', 'llmroute.spec.retries'));
      for (const word of ['attempts', 'backoff', 'budgetPercent', 'DESCRIPTION']) assert.ok(text.includes(word), text);
    });

    test('take the example configuration', async () => {
      const ours = globSync('deploy/standalone/*.yaml').flatMap(file =>
        parseAllDocuments(readFileSync(file, 'utf8')).map(document => document.toJS() as { kind: Kind; spec: object }),
      );
      const known = ours.filter(({ kind }) => kind in plurals);
      assert.ok(known.length > 0);
      for (const { kind, spec } of known) {
        const answer = await server.try('POST', `${collection(kind)}?dryRun=All`, { ...manifest(kind, 'example', {}), spec });
        assert.equal(answer.status, 201, `${kind}: ${JSON.stringify(answer.body)}`);
      }
    });
  });
});

function assertRefusal({ status, body }: { status: number; body: { message?: string } }, rule: string): void {
  assert.equal(status, 422, JSON.stringify(body));
  assert.ok(body.message?.includes(rule), JSON.stringify(body));
}

function manifest(kind: Kind, name: string, change: Change): object {
  const spec = structuredClone(sound[kind]);
  for (const [path, value] of Object.entries(change)) put(spec, path.replaceAll('[', '.').replaceAll(']', '').split('.'), value);
  return { apiVersion: 'tollgate.dev/v1alpha1', kind, metadata: { name, namespace: 'default' }, spec };
}

/** Makes the blocks on the way that are missing. */
function put(into: object, [field, ...rest]: readonly string[], value: unknown): void {
  const fields = into as Record<string, unknown>;
  if (rest.length === 0) fields[field!] = structuredClone(value);
  else {
    fields[field!] ??= {};
    put(fields[field!] as object, rest, value);
  }
}

type Node = {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node;
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[];
};
type Crd = {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Node } }[];
  };
};

function rulesIn({ spec }: Crd): string[] {
  const found: string[] = [];
  const visit = (node: Node, path: string): void => {
    for (const { message } of node['x-kubernetes-validations'] ?? []) found.push(`${spec.names.kind} ${path}: ${message}`);
    for (const [name, child] of Object.entries(node.properties ?? {})) visit(child, path === '' ? name : `${path}.${name}`);
    if (node.items) visit(node.items, `${path}[]`);
    if (typeof node.additionalProperties === 'object') visit(node.additionalProperties, `${path}.*`);
  };
  visit(spec.versions[0]!.schema.openAPIV3Schema, '');
  return found;
}
