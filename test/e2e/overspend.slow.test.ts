// A budget under concurrency: 200 streams at once over three processes, counted by the provider itself.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { billed, costOfRows, type Fleet, metricsOf, nano, startFleet, withoutStores } from '#test/support/fleet.ts';
import { patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

const ALONE = 'sk-test-alone-9f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const MIXED = 'sk-test-mixed-9f1d9c4be87a4f0fa6de9b1c5d3e7f81';
/** 20 and 80 microdollars a token: an answer of 250 tokens costs two cents. */
const price = { inputPerMTok: '20', outputPerMTok: '80' };
const unit = { input: 20_000, output: 80_000 };
const MAX_TOKENS = 300;
const PROMPT = 'Tell me of tolls. [[tokens=250]]';
/** No reservation is more: 300 tokens out, and far fewer than 100 in. */
const MOST = MAX_TOKENS * unit.output + 100 * unit.input;
const LIMIT = nano('1.00');

const yaml = (origin: string): string => {
  const budgets = [{ name: 'dollar', amount: '1.00', period: 'Monthly' }];
  const model = (name: string, upstreamName: string) => ({ name, upstreamName, price, maxOutputTokens: MAX_TOKENS });
  const drains = { onClientDisconnect: 'Drain' };
  const second = { name: 'oa', providerRef: { name: 'oa' }, model: 'gpt' };
  return yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, [model('gpt', 'gpt-4o'), model('mixed-gpt', 'gpt-4o-mini')]),
    provider('an', 'Anthropic', origin, [model('claude', 'claude-sonnet-4-5'), model('mixed-claude', 'claude-opus-4-1')]),
    provider('down', 'OpenAI', origin, [model('unsteady', 'gpt-4.1!503')], patient),
    route('gpt', 'gpt', ['oa']),
    route('claude', 'claude', ['an']),
    route('mixed-gpt', 'mixed-gpt', ['oa'], drains),
    route('mixed-claude', 'mixed-claude', ['an'], drains),
    route('unsteady', 'unsteady', ['down', { ...second, model: 'mixed-gpt' }], {
      retries: { attempts: 1, backoff: { base: '1ms', max: '5ms' }, budgetPercent: 100 },
      ...drains,
    }),
    tenantKey('alone', ALONE, { tenant: 'alone', budgets }),
    tenantKey('mixed', MIXED, { tenant: 'mixed', budgets }),
  );
};

type Outcome = { readonly status: number; readonly headers?: Headers; readonly message?: string };

describe('a budget of $1.00 under 200 parallel streams over three processes', { skip: withoutStores }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet({ simulator: { settings: { tokensPerSecond: 250, tokensPerFrame: 10 } }, yaml });
  });
  after(() => fleet?.close());

  type Ask = { readonly model: string; readonly key: string; readonly maxTokens?: number; readonly leaves?: boolean };

  const refusal = (error: unknown): Outcome => {
    if (!(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)) throw error;
    const { status, headers, message } = error;
    assert.ok(status && headers, String(error.cause ?? error));
    return { status, headers, message };
  };

  async function chat({ model, key, maxTokens, leaves }: Ask): Promise<Outcome> {
    const client = new OpenAI({ baseURL: `${fleet.next().url}/v1`, apiKey: key, maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: PROMPT }];
    try {
      const limit = maxTokens === undefined ? {} : { max_tokens: maxTokens };
      const stream = await client.chat.completions.create({ model, messages, stream: true, ...limit });
      for await (const _ of stream) if (leaves) break;
      return { status: 200 };
    } catch (error) {
      return refusal(error);
    }
  }

  async function message({ model, key, leaves }: Ask): Promise<Outcome> {
    const client = new Anthropic({ baseURL: fleet.next().url, apiKey: key, maxRetries: 0 });
    try {
      const stream = await client.messages.create({
        model,
        max_tokens: MAX_TOKENS,
        messages: [{ role: 'user', content: PROMPT }],
        stream: true,
      });
      for await (const _ of stream) if (leaves) break;
      return { status: 200 };
    } catch (error) {
      return refusal(error);
    }
  }

  /** Waves of requests until a whole one is refused, watching bill and metrics all the time; the outcomes of each wave. */
  async function spendAll(wave: (size: number) => Promise<Outcome>[], bill: () => number, key: string): Promise<Outcome[][]> {
    const highest = { bill: 0, ratio: 0 };
    let over = false;
    const watch = (async () => {
      while (!over) {
        highest.bill = Math.max(highest.bill, bill());
        for (const gateway of fleet.gateways) {
          const metric = await metricsOf(gateway);
          const labels = `tenant="${key}",key="default/${key}",budget="dollar"`;
          highest.ratio = Math.max(highest.ratio, metric('tollgate_budget_used_ratio', labels) ?? 0);
        }
        await sleep(100);
      }
    })();
    const waves: Outcome[][] = [];
    do {
      waves.push(await Promise.all(wave(waves.length === 0 ? 200 : 20)));
      // Streams whose clients left hold their reservation until they have ended.
      await fleet.settledRows(`default/${key}`);
    } while (waves.at(-1)!.some(({ status }) => status === 200) && waves.length < 20);
    over = true;
    await watch;
    assert.ok(highest.bill <= LIMIT, `the provider billed ${highest.bill}`);
    assert.ok(highest.ratio <= 1 && highest.ratio > 0.9, `ratio ${highest.ratio}`);
    return waves;
  }

  const bound =
    /Current cost: (\S+), Max budget: (\S+) \(.*reserved for requests in progress: (\S+); this request may cost up to: ([^;)]+)/;

  /** Each was right, by its own numbers, and told the client all it needs. */
  function assertRefused(outcomes: readonly Outcome[]): void {
    for (const { status, headers, message } of outcomes) {
      assert.equal(status, 402, String(message));
      assert.equal(headers!.get('x-should-retry'), 'false');
      assert.ok(Number(headers!.get('retry-after')) > 0);
      const [, current, max, reserved, more] = bound.exec(message!) ?? assert.fail(String(message));
      assert.equal(nano(max!), LIMIT);
      assert.ok(nano(current!) + nano(reserved!) + nano(more!) > LIMIT, `a false refusal: ${message}`);
    }
  }

  async function assertExact(key: string, bill: () => number): Promise<void> {
    const rows = await fleet.settledRows(`default/${key}`);
    assert.equal(costOfRows(rows), bill());
    assert.ok(bill() <= LIMIT);
    // As much was spent as could be: the next request would not have fitted.
    assert.ok(bill() + MOST > LIMIT, `only ${bill()} was spent`);
    assert.ok(rows.every(row => !row.exceeded && !row.estimated && row.cost <= row.reserved));
  }

  test('is never overspent, refuses with 402 only what does not fit, and every nano-dollar is in the ledger', async () => {
    const bill = () => billed(fleet.simulator, { 'gpt-4o': unit, 'claude-sonnet-4-5': unit });
    const ask = (i: number) => {
      if (i % 2 === 0) return message({ model: 'claude', key: ALONE });
      return chat({ model: 'gpt', key: ALONE, ...(i % 4 === 1 && { maxTokens: MAX_TOKENS }) });
    };
    const waves = await spendAll(size => Array.from({ length: size }, (_, i) => ask(i)), bill, 'alone');
    const refused = waves.flat().filter(({ status }) => status !== 200);
    // All were there before the first was over: no more than fit by their reservations can have passed.
    assert.ok(waves[0]!.filter(({ status }) => status === 200).length <= LIMIT / (MAX_TOKENS * unit.output));
    assertRefused(refused);
    await assertExact('alone', bill);
  });

  test('holds with retries, fallbacks and clients that leave in the mix', async () => {
    const bill = () => billed(fleet.simulator, { 'gpt-4o-mini': unit, 'claude-opus-4-1': unit, 'gpt-4.1': unit });
    const asks = [
      (leaves: boolean) => chat({ model: 'mixed-gpt', key: MIXED, leaves }),
      (leaves: boolean) => message({ model: 'mixed-claude', key: MIXED, leaves }),
      (leaves: boolean) => chat({ model: 'unsteady', key: MIXED, leaves }),
    ];
    // Some of each kind get through for certain.
    const first = await Promise.all(Array.from({ length: 9 }, (_, i) => asks[i % 3]!(false)));
    assert.ok(first.every(({ status }) => status === 200));
    const wave = (size: number) => Array.from({ length: size }, (_, i) => asks[i % 3]!(i % 5 === 0));
    const waves = await spendAll(wave, bill, 'mixed');
    assertRefused(waves.flat().filter(({ status }) => status !== 200));
    await assertExact('mixed', bill);
    const rows = await fleet.settledRows('default/mixed');
    const ofUnsteady = Map.groupBy(
      rows.filter(row => row.model_requested === 'unsteady'),
      row => row.request_id,
    );
    assert.ok(ofUnsteady.size > 0);
    const failed = [...ofUnsteady.values()].map(attempts => {
      // Tried again where the budget of retries had room, then elsewhere.
      const down = attempts.filter(({ provider }) => provider === 'default/down');
      assert.deepEqual(
        attempts.map(({ attempt, provider, cost }) => [attempt, provider, cost > 0]),
        [...down.map((_, attempt) => [attempt, 'default/down', false]), [down.length, 'default/oa', true]],
      );
      return down.length;
    });
    assert.ok(failed.every(count => count === 1 || count === 2) && failed.includes(2));
  });
});
