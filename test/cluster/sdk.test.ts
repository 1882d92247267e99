// The clients that people have, OpenAI's and Anthropic's own, in a cluster: a key and a route are applied and work, and while a route is
// changed again and again no request fails and no stream ends early.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, MASTER_KEY, type Pod } from './support/deployment.ts';
import { measuring } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { sized } from './support/size.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 30_000;
const CHANGES = sized(100, 10);
/** What hangs fails. */
const PATIENCE = { maxRetries: 0, timeout: 60_000 };
const TOKENS = 60;
const QUESTION = [{ role: 'user' as const, content: `Go on for a while. [[tokens=${TOKENS}]]` }];
const PROVIDERS = ['first', 'second'] as const;

describe('the SDKs of OpenAI and Anthropic', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulators: Simulator[];
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    // A stream takes longer than a change needs to be everywhere.
    const settings = { latency: 20, tokensPerSecond: 100, jitter: 0, tokensPerFrame: 3 };
    simulators = await Promise.all(
      [195, 196].map(index => startSimulator({ host: ownNetwork!.address(index), port: 0, settings })),
    );
    deployment = await deploy({ server, pods: 3, podEnv: { LOG_LEVEL: 'warn' } });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    for (const [index, name] of PROVIDERS.entries())
      await team.provider(
        name,
        { openAICompatible: { baseURL: `${simulators[index]!.origin}/v1` } },
        'upstream',
        ['tiny'],
        patient,
      );
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await routeTo('first');
    for (const pod of deployment.pods) await until(`${pod.name} serves`, async () => (await askPod(pod, 'tiny', KEY)) === 200);
  });
  after(async () => {
    await deployment?.stop();
    await Promise.all((simulators ?? []).map(simulator => simulator.close()));
    await server?.stop();
  });

  const routeTo = (provider: (typeof PROVIDERS)[number]) => team.route('tiny', 'tiny', provider);
  const openAI = ({ url }: Pod, apiKey = KEY) => new OpenAI({ baseURL: `${url}/v1`, apiKey, ...PATIENCE });
  const anthropic = ({ url }: Pod, apiKey = KEY) => new Anthropic({ baseURL: url, apiKey, ...PATIENCE });

  /** Each resolves with how many tokens came, of an answer that says itself that it is whole. */
  const calls: Readonly<Record<string, (pod: Pod, key?: string) => Promise<number>>> = {
    async 'OpenAI, whole'(pod, key) {
      const answer = await openAI(pod, key).chat.completions.create({ model: 'tiny', messages: QUESTION });
      assert.equal(answer.choices[0]!.finish_reason, 'stop');
      return answer.usage!.completion_tokens;
    },
    async 'OpenAI, streamed'(pod, key) {
      const stream = openAI(pod, key).chat.completions.stream({
        model: 'tiny',
        messages: QUESTION,
        stream_options: { include_usage: true },
      });
      const answer = await stream.finalChatCompletion();
      assert.equal(answer.choices[0]!.finish_reason, 'stop');
      return answer.usage!.completion_tokens;
    },
    async 'Anthropic, whole'(pod, key) {
      const answer = await anthropic(pod, key).messages.create({ model: 'tiny', max_tokens: 500, messages: QUESTION });
      assert.equal(answer.stop_reason, 'end_turn');
      return answer.usage.output_tokens;
    },
    async 'Anthropic, streamed'(pod, key) {
      const answer = await anthropic(pod, key)
        .messages.stream({ model: 'tiny', max_tokens: 500, messages: QUESTION })
        .finalMessage();
      assert.equal(answer.stop_reason, 'end_turn');
      return answer.usage.output_tokens;
    },
  };

  for (const [name, call] of Object.entries(calls))
    test(`${name}: an answer from every pod`, async () => {
      for (const pod of deployment.pods) assert.equal(await call(pod), TOKENS);
    });

  test('a key made by /key/generate at one pod is a TenantKey, and works at once at the others', async () => {
    const response = await fetch(`${deployment.pods[0]!.url}/key/generate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ key_alias: 'sdk', tenant: 'team' }),
    });
    const { key } = (await response.json()) as { key: string };
    assert.equal(response.status, 200);
    const { items } = await server.call<{ items: { spec: { alias?: string; digest?: string } }[] }>(
      'GET',
      '/apis/tollgate.dev/v1alpha1/namespaces/team/tenantkeys',
    );
    assert.equal(items.find(({ spec }) => spec.alias === 'sdk')?.spec.digest, `sha256:${sha256(key)}`);
    for (const pod of deployment.pods) for (const call of Object.values(calls)) assert.equal(await call(pod, key), TOKENS);
  });

  test(`a route that is changed ${CHANGES} times under load: no request fails, no stream is cut`, async () => {
    const figure = measuring(import.meta.filename);
    for (const simulator of simulators) simulator.reset();
    let isOver = false;
    let answers = 0;
    const failures: unknown[] = [];
    const clients = deployment.pods.flatMap(pod =>
      Object.entries(calls).map(async ([name, call]) => {
        while (!isOver)
          await call(pod).then(
            tokens => (tokens === TOKENS ? answers++ : failures.push(`${name}: ${tokens} tokens`)),
            error => failures.push(error),
          );
      }),
    );
    const requests = () => simulators.map(simulator => simulator.requests().length);
    // On a full machine clients move in step, and may all miss one of the two for a while.
    for (let change = 1; change <= CHANGES || (requests().includes(0) && change < 10 * CHANGES); change++) {
      await routeTo(PROVIDERS[change % 2]!);
      await team.conditions('llmroutes', 'tiny', 'Programmed', 'True', DEADLINE_MS);
      await pause(200);
    }
    isOver = true;
    await Promise.all(clients);
    const asked = requests();
    figure({
      row: 'SDKs',
      goal: 'route changed under load of the real SDK clients: 0 failed requests, 0 cut streams',
      measured: `${CHANGES} changes, ${answers} answers, streamed and whole, in both dialects: ${failures.length} failed or cut; ${asked.join(' and ')} requests at the two providers`,
      isMet: failures.length === 0,
    });
    assert.deepEqual(failures, []);
    assert.ok(answers > CHANGES && asked.every(count => count > 0), `${answers} answers, ${asked} requests`);
  });
});
