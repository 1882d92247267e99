// What a cascade saves on two hundred labelled tasks, and what it costs in quality: prints the figures that it asserts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { JUDGE, LARGE, orderSchema, SMALL, startModels, type Task, tasks } from '#test/support/cascade-tasks.ts';
import { chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import type { Upstream } from '#test/support/upstream.ts';

/** USD per million tokens: list prices of gpt-4o-mini and gpt-4o. The judge is as small as the small model. */
const prices = { small: { inputPerMTok: '0.15', outputPerMTok: '0.60' }, large: { inputPerMTok: '2.50', outputPerMTok: '10' } };
const backend = (name: string) => ({ name, providerRef: { name: 'oa' }, model: name });
const steps = (accept: object) => ({ cascade: { steps: [{ backend: 'small', accept }, { backend: 'large' }] } });
const rules = ['NonEmpty', 'ValidJSON', 'NotRefusal'];
const strict = { rules, minConfidence: '0.8', maxOutputTokens: 100 };
const judge = { providerRef: { name: 'oa' }, model: 'judge', minScore: '0.6' };

const routes = ['large-alone', 'small-alone', 'by-rules', 'by-judge'] as const;
type Name = (typeof routes)[number];
/** Each has a key of its own, by which the report tells them apart. */
const keyOf = (name: Name): string => `sk-test-${name}-0123456789abcdef0123456789abcdef`;

let models: Upstream;
let gateway: Gateway;
before(async () => {
  models = await startModels();
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      ...routes.map(name => tenantKey(name, keyOf(name))),
      provider('oa', 'OpenAICompatible', models.url, [
        { name: 'small', upstreamName: SMALL, maxOutputTokens: 500, price: prices.small },
        { name: 'large', upstreamName: LARGE, maxOutputTokens: 500, price: prices.large },
        { name: 'judge', upstreamName: JUDGE, maxOutputTokens: 500, price: prices.small },
      ]),
      route('small-alone', 'small-alone', [backend('small')]),
      route('large-alone', 'large-alone', [backend('large')]),
      route('by-rules', 'by-rules', [backend('small'), backend('large')], steps(strict)),
      route('by-judge', 'by-judge', [backend('small'), backend('large')], steps({ ...strict, judge })),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await models?.close();
});

const format = { type: 'json_schema', json_schema: { name: 'order', schema: orderSchema, strict: true } };

type Outcome = { readonly fitsSchema: boolean; readonly isRight: boolean };

async function solve(model: Name, { prompt, answer }: Task): Promise<Outcome> {
  const body = chat(model, { messages: [{ role: 'user', content: prompt }], response_format: format });
  const answered = await post(gateway.url + chatPath, body, { key: keyOf(model) });
  // A small model's empty answer is a failure of its own.
  if (answered.status !== 200) return { fitsSchema: false, isRight: false };
  const said = parsed(answered.json().choices[0].message.content);
  return { fitsSchema: isOrder(said), isRight: JSON.stringify(said) === JSON.stringify(answer) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Another reading of the schema than the gateway's. */
function isOrder(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { item, count, total, ...rest } = value as Record<string, unknown>;
  return typeof item === 'string' && Number.isInteger(count) && typeof total === 'number' && Object.keys(rest).length === 0;
}

const AT_ONCE = 10;

async function run(model: Name) {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < tasks.length; i += AT_ONCE)
    outcomes.push(...(await Promise.all(tasks.slice(i, i + AT_ONCE).map(task => solve(model, task)))));
  const count = (test: (outcome: Outcome) => boolean) => outcomes.filter(test).length;
  return { schemaFailures: count(({ fitsSchema }) => !fitsSchema), right: count(({ isRight }) => isRight) };
}

/** Nano-dollars of each route, once every request is in the ledger. */
async function costs(requests: number): Promise<Readonly<Record<Name, number>>> {
  const report = await until('all requests are in the report', async () => {
    const { json } = await get(`${gateway.url}/cost/report?window=24h&group_by=key`, { key: gateway.masterKey });
    return json().totals.requests === requests && json();
  });
  const groups: readonly { readonly key: string; readonly cost_nano_usd: number }[] = report.groups;
  const of = (name: Name) => groups.find(({ key }) => key === `default/${name}`)?.cost_nano_usd ?? 0;
  return Object.fromEntries(routes.map(name => [name, of(name)])) as Record<Name, number>;
}

test('a cascade saves at least 40 % of the cost of the large model, with no answer that breaks the schema', async () => {
  const results = {} as Record<Name, Awaited<ReturnType<typeof run>>>;
  for (const name of routes) results[name] = await run(name);
  const paid = await costs(routes.length * tasks.length);
  const saved = (name: Name) => 1 - paid[name] / paid['large-alone'];
  for (const name of routes) {
    const { schemaFailures, right } = results[name];
    const share = `${(saved(name) * 100).toFixed(1)} % saved`;
    console.log(
      `${name.padEnd(12)} ${(paid[name] / 1e9).toFixed(6)} USD, ${share}; ${right} of ${tasks.length} right, ${schemaFailures} break the schema`,
    );
  }
  for (const name of ['by-rules', 'by-judge'] as const) {
    assert.ok(saved(name) >= 0.4, `${name} saves ${saved(name)}`);
    assert.equal(results[name].schemaFailures, 0, name);
    assert.ok(results[name].right > results['small-alone'].right, name);
  }
  assert.ok(results['small-alone'].schemaFailures > 0, 'the small model alone does break it');
  assert.equal(results['by-judge'].right, tasks.length, 'a judge finds what no rule does');
});
