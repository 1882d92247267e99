// A cascade seen from outside: what each stage is asked, what the client gets, what is paid.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Decision } from '#dataplane/decisions.ts';
import {
  JUDGE,
  LARGE,
  type Label,
  modelsAsked,
  orderSchema,
  playModels,
  SMALL,
  startModels,
  tasks,
} from '#test/support/cascade-tasks.ts';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { metricsOf } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until, within } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const backend = (name: string) => ({ name, providerRef: { name: 'oa' }, model: name });
const rules = ['NonEmpty', 'ValidJSON', 'NotRefusal'];
const cascading = (name: string, accept: object, more: object = {}, cascade: object = {}): Resource =>
  route(name, name, [backend('small'), backend('large')], {
    retries: { attempts: 0 },
    cascade: { steps: [{ backend: 'small', accept }, { backend: 'large' }], ...cascade },
    ...more,
  });

let models: Upstream;
let scorer: Upstream;
let gateway: Gateway;
before(async () => {
  [models, scorer] = [await startModels(), await startUpstream(json(200, { score: 0.9 }))];
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      tenantKey('poor', 'sk-test-poor-0123456789abcdef0123456789', {
        tenant: 'poor',
        budgets: [{ name: 'all', amount: '0.004', period: 'Total' }],
      }),
      provider('oa', 'OpenAICompatible', models.url, [
        { name: 'small', upstreamName: SMALL, maxOutputTokens: 500 },
        { name: 'large', upstreamName: LARGE, maxOutputTokens: 500, price: { inputPerMTok: '10', outputPerMTok: '20' } },
        { name: 'judge', upstreamName: JUDGE, maxOutputTokens: 500 },
      ]),
      cascading('rules', { rules }),
      cascading('short', { maxOutputTokens: 40 }),
      cascading('sure', { minConfidence: '0.8' }),
      cascading('judged', { judge: { providerRef: { name: 'oa' }, model: 'judge', minScore: '0.6' } }),
      cascading(
        'hurried',
        { judge: { providerRef: { name: 'oa' }, model: 'judge', minScore: '0.6' } },
        { timeouts: { request: '2s' } },
      ),
      cascading('scored', { rules }, {}, { scorer: { url: `${scorer.url}/score`, threshold: '0.5', timeout: '500ms' } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([models?.close(), scorer?.close()]);
});
beforeEach(() => {
  models.answer(playModels);
  models.asked.length = 0;
  scorer.asked.length = 0;
});

const taskOf = (label: Label) => tasks.find(task => task.label === label)!;
const format = { type: 'json_schema', json_schema: { name: 'order', schema: orderSchema, strict: true } };

function ask(model: string, label: Label, rest: object = {}, key?: string): Promise<Answered> {
  const messages = [{ role: 'user', content: taskOf(label).prompt }];
  return post(gateway.url + chatPath, chat(model, { messages, response_format: format, ...rest }), { key });
}

/** The text of an answer of either form. */
function textOf({ headers, text, json: whole }: Answered): string {
  if (!headers.get('content-type')!.includes('event-stream')) return whole().choices[0].message.content;
  const frames = text.split('\n').filter(line => line.startsWith('data: {'));
  return frames.map(line => JSON.parse(line.slice(6)).choices[0]?.delta.content ?? '').join('');
}

const verdicts = ({ headers }: Answered) => headers.get('x-tollgate-cascade');
const decisionOf = ({ headers }: Answered, attempts: number): Promise<Decision> =>
  until('the decision has all attempts', async () => {
    const { status, json } = await get(`${gateway.internalUrl}/debug/decisions/${headers.get('x-request-id')}`);
    return status === 200 && json().outcome && json().attempts.length === attempts && (json() as Decision);
  });

/** Half an answer of either form, then no more. */
function cut(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"Half"},"finish_reason":null}]}\n\n');
  setTimeout(() => response.destroy(), 20);
}

for (const stream of [false, true])
  describe(`a cascade, ${stream ? 'streamed' : 'whole'},`, () => {
    test('serves the answer of the first step where it is accepted, and asks nobody else', async () => {
      const answered = await ask('rules', 'right', { stream });
      assert.deepEqual([answered.status, verdicts(answered)], [200, 'small=accepted']);
      assert.deepEqual(JSON.parse(textOf(answered)), taskOf('right').answer);
      assert.deepEqual(modelsAsked(models.asked), [SMALL]);
      assert.equal(answered.headers.get('x-tollgate-model'), 'small');
      assert.equal(answered.headers.get('x-tollgate-fallback'), 'false');
      if (stream) assert.ok(answered.text.endsWith('data: [DONE]\n\n'));
    });

    const shortfalls: readonly [model: string, label: Label, rule: string][] = [
      ['rules', 'no-json', 'ValidJSON'],
      ['rules', 'other-schema', 'ValidJSON'],
      ['rules', 'refusal', 'ValidJSON'],
      ['short', 'too-long', 'maxOutputTokens'],
      ['sure', 'unsure', 'minConfidence'],
      ['judged', 'wrong', 'judge'],
    ];
    for (const [model, label, rule] of shortfalls)
      test(`asks the next step where the first one's answer falls short of ${rule} (${label})`, async () => {
        const answered = await ask(model, label, { stream });
        assert.deepEqual([answered.status, verdicts(answered)], [200, `small=${rule},large=accepted`]);
        assert.deepEqual(JSON.parse(textOf(answered)), taskOf(label).answer);
        assert.equal(answered.headers.get('x-tollgate-model'), 'large');
        assert.equal(answered.headers.get('x-tollgate-fallback'), 'false');
        assert.ok(!answered.text.includes(SMALL), 'nothing of what was not accepted');
      });

    test('asks for log probabilities for itself, and keeps them from a client that did not', async () => {
      const answered = await ask('sure', 'right', { stream });
      assert.equal(verdicts(answered), 'small=accepted');
      assert.equal(JSON.parse(models.asked[0]!.body.toString()).logprobs, true);
      assert.ok(!answered.text.includes('"logprob"'), answered.text);
      assert.ok(answered.text.includes('"system_fingerprint":"fp"'), 'all else is as it was');
      const asked = await ask('sure', 'right', { stream, logprobs: true });
      assert.ok(asked.text.includes('"logprob"'));
    });

    test('speaks the dialect of the client', async () => {
      const body = (label: Label) =>
        message('rules', {
          stream,
          messages: [{ role: 'user', content: taskOf(label).prompt }],
          output_config: { format: { type: 'json_schema', schema: orderSchema } },
        });
      for (const [label, seen] of [
        ['right', 'small=accepted'],
        ['no-json', 'small=ValidJSON,large=accepted'],
      ] as const) {
        const answered = await post(gateway.url + messagesPath, body(label));
        assert.deepEqual([answered.status, verdicts(answered)], [200, seen]);
        if (stream) assert.match(answered.text, /event: message_stop\n.*\n\n$/);
        else assert.deepEqual(JSON.parse(answered.json().content[0].text), taskOf(label).answer);
      }
    });

    test('goes to the next step where one cannot be had, as any request does', async () => {
      models.answer((response, asked) =>
        modelsAsked([asked])[0] === SMALL
          ? json(500, { error: { message: 'no' } })(response, asked)
          : playModels(response, asked),
      );
      const answered = await ask('rules', 'right', { stream });
      assert.deepEqual([answered.status, verdicts(answered)], [200, 'small=upstream_error,large=accepted']);
      assert.equal(answered.headers.get('x-tollgate-fallback'), 'true');
    });

    test('goes on unseen where the answer of a step breaks off in its middle', async () => {
      models.answer((response, asked) => (modelsAsked([asked])[0] === SMALL ? cut(response) : playModels(response, asked)));
      const answered = await ask('rules', 'right', { stream });
      assert.deepEqual([answered.status, verdicts(answered)?.split(',')[1]], [200, 'large=accepted']);
      assert.deepEqual(JSON.parse(textOf(answered)), taskOf('right').answer);
      assert.ok(!answered.text.includes('Half'));
    });

    test('is over when its client leaves while an answer is held back, and the upstream knows', async () => {
      const leaving = new AbortController();
      const closed = new Promise<void>(resolve =>
        models.answer(response => {
          response.on('close', resolve);
          leaving.abort();
        }),
      );
      const messages = [{ role: 'user', content: taskOf('right').prompt }];
      const body = chat('rules', { messages, stream });
      await assert.rejects(post(gateway.url + chatPath, body, { signal: leaving.signal }));
      await within(5000, 'the upstream connection is closed', closed);
      assert.deepEqual(modelsAsked(models.asked), [SMALL]);
    });
  });

describe('a cascade', () => {
  test('pays for each stage by a row of its own, that of the judge too', async () => {
    const answered = await ask('judged', 'wrong');
    const { attempts, outcome, cascade } = await decisionOf(answered, 3);
    assert.deepEqual(
      attempts.map(({ model, purpose, failure }) => [model, purpose, failure]),
      [
        ['small', 'first', null],
        ['judge', 'judge', null],
        ['large', 'cascade', null],
      ],
    );
    assert.ok(attempts.every(({ cost_usd }) => Number(cost_usd) > 0));
    const sum = attempts.reduce((nano, { cost_usd }) => nano + Math.round(Number(cost_usd) * 1e9), 0);
    assert.equal(Math.round(Number(outcome!.cost_usd) * 1e9), sum);
    assert.deepEqual(cascade, { small: 'judge', large: 'accepted' });
    const metric = await metricsOf(gateway);
    const told = metric('tollgate_cascade_answers_total', 'route="default/judged",backend="small",verdict="judge"');
    assert.ok(told! > 0);
  });

  test('asks its judge for a few tokens, and nothing where a rule speaks against the answer already', async () => {
    await ask('judged', 'right');
    const question = models.asked.map(({ body }) => JSON.parse(body.toString())).find(({ model }) => model === JUDGE);
    assert.ok(question.max_tokens <= 64);
    assert.ok(!question.stream);
    assert.ok(question.messages[1].content.includes(taskOf('right').prompt.slice(0, 40)));
  });

  test('does not wait for a judge until the time of the request is over: the next step answers', async () => {
    models.answer((response, asked) => (modelsAsked([asked])[0] === JUDGE ? undefined : playModels(response, asked)));
    const answered = await ask('hurried', 'right');
    assert.deepEqual([answered.status, verdicts(answered)], [200, 'small=judge,large=accepted']);
    const { attempts } = await decisionOf(answered, 3);
    assert.deepEqual(
      attempts.map(({ purpose, failure }) => [purpose, failure]),
      [
        ['first', null],
        ['judge', 'request_deadline'],
        ['cascade', null],
      ],
    );
  });

  test('does not ask a step that the budget does not cover', async () => {
    const answered = await ask('rules', 'no-json', {}, 'sk-test-poor-0123456789abcdef0123456789');
    assert.deepEqual([answered.status, answered.json().error.code], [402, 'budget_exceeded']);
    assert.equal(verdicts(answered), 'small=ValidJSON,large=budget_exceeded');
    assert.deepEqual(modelsAsked(models.asked), [SMALL]);
  });

  test('begins where a scorer says, and at the first step where it fails or is slow', async () => {
    const strong = await ask('scored', 'right');
    assert.equal(verdicts(strong), 'large=accepted');
    const { prompt } = JSON.parse(scorer.asked[0]!.body.toString());
    assert.equal(prompt, taskOf('right').prompt);
    for (const script of [json(200, { score: 0.1 }), json(500, {}), json(200, 'no'), () => {}]) {
      scorer.answer(script);
      assert.equal(verdicts(await ask('scored', 'right')), 'small=accepted');
    }
  });

  test('says so where no answer is accepted and nobody is left', async () => {
    models.answer((response, asked) =>
      modelsAsked([asked])[0] === LARGE ? json(500, { error: { message: 'no' } })(response, asked) : playModels(response, asked),
    );
    scorer.answer(json(200, { score: 1 }));
    const answered = await ask('scored', 'no-json');
    assert.deepEqual([answered.status, answered.json().error.code], [503, 'no_backend']);
    assert.equal(verdicts(answered), 'large=upstream_error,small=ValidJSON');
  });

  test('leaves alone what asks for no answer', async () => {
    const counted = await post(`${gateway.url}${messagesPath}/count_tokens`, {
      model: 'rules',
      messages: [{ role: 'user', content: 'x' }],
    });
    assert.equal(counted.status, 200);
    assert.equal(verdicts(counted), null);
  });
});
