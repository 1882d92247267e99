// `tollgate explain` on a folder: what it says, and with which exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { explain } from '../../cli/explain.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-explain-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const backend = (name: string, priority: number) => ({ name, providerRef: { name: 'oa' }, model: name, priority });
const models = [
  { name: 'small', upstreamName: 'gpt-4o-mini', contextWindow: 1000, capabilities: ['Chat'] },
  { name: 'large', upstreamName: 'gpt-4o', price: { inputPerMTok: '10', outputPerMTok: '20' } },
];
writeFileSync(
  join(folder, 'all.yaml'),
  yamlOf(
    providerSecret,
    tenantKey(),
    provider('oa', 'OpenAI', 'http://127.0.0.1:9', models),
    route('cheapest', 'cheapest', [backend('large', 0), backend('small', 0)], { strategy: 'LowestCost' }),
    route('checked', 'checked', [backend('large', 0)], {
      hooks: [
        { name: 'data', when: 'Before', sensitiveData: { kinds: ['Email'], action: 'Mask', restore: true } },
        { name: 'words', when: 'After', holdStream: true, http: { url: 'http://127.0.0.1:9/words', onFailure: 'Deny' } },
      ],
    }),
    route('stepwise', 'stepwise', [backend('small', 0), backend('large', 1)], {
      cascade: {
        steps: [{ backend: 'small', accept: { rules: ['ValidJSON'], minConfidence: '0.8' } }, { backend: 'large' }],
      },
    }),
  ),
);

async function told(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await explain(['--config', folder, ...args], { out: t => out.push(t), err: t => err.push(t), env: {} });
  return { code, out: out.join(''), err: err.join('') };
}

describe('tollgate explain', () => {
  test('says what the strategy goes by, for a request of this size', async () => {
    const { code, out } = await told('--model', 'cheapest', '--input-tokens', '100', '--output-tokens', '10');
    assert.equal(code, 0);
    assert.match(out, /in the order they are tried \(LowestCost\)/);
    assert.match(out, /1\. small .*expected cost, nano-USD: 120000\n/);
    assert.match(out, /2\. large .*expected cost, nano-USD: 1200000\n/);
  });

  test('says which backends cannot take the request, also where that leaves none', async () => {
    const long = await told('--model', 'cheapest', '--input-tokens', '5000', '--needs', 'Tools');
    assert.match(long.out, /small {2}left out: the request needs Tools/);
    const json = await told('--model', 'cheapest', '--input-tokens', '5000', '--json');
    const { candidates, excluded } = JSON.parse(json.out);
    assert.deepEqual([candidates.length, excluded[0].backend, excluded[0].cause], [1, 'small', 'context-window']);
  });

  test('says which hooks look at it, and refuses what they could not see', async () => {
    const { code, out } = await told('--model', 'checked');
    assert.equal(code, 0);
    assert.match(out, /Before Decide {2}data {2}Email: Mask, restored in the answer\n/);
    assert.match(out, /After Decide {2}words {2}http:\/\/127\.0\.0\.1:9\/words, on failure Deny, holds streams\n/);
    const [, words] = JSON.parse((await told('--model', 'checked', '--json')).out).hooks;
    assert.deepEqual([words.name, words.url], ['words', 'http://127.0.0.1:9/words']);
    for (const operation of ['Images', 'Realtime']) {
      const refused = await told('--model', 'checked', '--operation', operation);
      assert.equal(refused.code, 1);
      assert.match(refused.out, /Refused: unsupported_parameter: The route checks what is asked and answered/);
    }
  });

  test('says what a cascade asks of an answer', async () => {
    const { out } = await told('--model', 'stepwise');
    assert.match(out, /1\. small .*\n.*\n.*its answer is taken if it has ValidJSON, confidence from 0\.8\n/);
    assert.match(out, /2\. large .*\n.*\n.*its answer is taken\n/);
  });

  test('ends with 1 where the request would be refused, with 2 where the question makes no sense', async () => {
    const refused = await told('--model', 'nothing');
    assert.deepEqual([refused.code, /Refused: model_not_found/.test(refused.out)], [1, true]);
    for (const [args, complaint] of [
      [['--model', 'cheapest', '--needs', 'Wings'], /--needs must be one of/],
      [['--model', 'cheapest', '--input-tokens', 'many'], /--input-tokens must be a whole number/],
      [['--model', 'cheapest', '--key', 'nobody'], /there is no live TenantKey nobody/],
      [[], /--model is missing/],
      [['an-id', 'another'], /only one request id/],
      [['an-id', '--url', 'http://127.0.0.1:9'], /does not answer/],
    ] as const) {
      const { code, err } = await told(...args);
      assert.equal(code, 2, err);
      assert.match(err, complaint);
    }
  });
});
