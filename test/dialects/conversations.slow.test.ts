// Conversations that move: begun at one provider with an image, thinking and parallel calls, gone on with at another, and back at the first,
// by a client that sends what it was given. The simulators refuse signatures that are not theirs, ids that they do not take, and turns out of order.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { png, weatherSchema } from '#test/support/stage.ts';
import type { Answer, Ask, Client, Json, Turn } from './ask.ts';
import { clients } from './clients/index.ts';
import { isSigned } from './features.ts';
import { jsonOf, send } from './send.ts';
import { openStage, publicName, type Stage, type Target, targets } from './targets.ts';

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(() => stage?.close());

const stations = ['openai', 'openai-responses', 'anthropic', 'gemini', 'bedrock-nova', 'bedrock-claude'].map(
  name => targets.find(target => target.name === name)!,
);
const conversational = clients.filter(({ lacks }) => !lacks.has('turns'));

const tools = [{ name: 'get_weather', parameters: weatherSchema }, { name: 'get_time' }];
let conversations = 0;

type Reached = { readonly answer: Answer; readonly sent: Json; readonly dropped: readonly string[] };

async function reached(client: Client, at: Target, turns: readonly Turn[], mark: string, stream: boolean): Promise<Reached> {
  const isNova = client.dialect === 'bedrock-converse' && at.name === 'bedrock-nova';
  const ask: Ask = {
    model: publicName(at, 'thinker'),
    system: `You are in ${mark}.`,
    thinking: isNova ? 'nova' : 'enabled',
    tools,
    turns,
    ...(stream && { stream }),
  };
  const reply = await send(stage.gateway.url, client, ask);
  assert.equal(reply.status, 200, `at ${at.name}: ${reply.bytes}`);
  const record = stage.behind(at).requests().at(-1)!;
  assert.ok(JSON.stringify(record.body).includes(mark), 'another request came between');
  const answer = stream ? client.readStream(reply.bytes) : client.readWhole(jsonOf(reply));
  return { answer, sent: record.body, dropped: reply.dropped };
}

/** A model of Anthropic's that is in the middle of its tools thinks on only where it had thought itself, and can prove it. */
const assertNothingLost = ({ dropped }: Reached): void =>
  assert.deepEqual(
    dropped.filter(name => name !== 'thinking'),
    [],
  );

const asked: Turn = {
  user: [
    { kind: 'text', text: 'What is it? Call get_weather and get_time.' },
    { kind: 'image', data: png },
  ],
};

async function moved(client: Client, from: Target, to: Target, stream: boolean): Promise<void> {
  const mark = `conversation ${++conversations}`;
  const first = await reached(client, from, [asked], mark, stream);
  const { calls } = first.answer;
  assert.deepEqual(
    calls.map(({ name }) => name),
    ['get_weather', 'get_time'],
  );
  const results: Turn = { results: calls.map(call => ({ call, output: 'fine' })) };
  const turns: Turn[] = [asked, { answer: first.answer.turn }, results];
  const second = await reached(client, to, turns, mark, stream);
  assert.match(second.answer.text, /get_weather returned: .*fine.*get_time returned: .*fine/s);
  assertNothingLost(second);
  if (from.maker !== to.maker) assert.ok(!isSigned(second.sent), `${to.name} was sent what ${from.name} signed`);

  const last: Turn = { user: [{ kind: 'text', text: 'And now?' }] };
  const third = await reached(client, from, [...turns, { answer: second.answer.turn }, last], mark, stream);
  assert.match(third.answer.text, /And now\?/);
  assertNothingLost(third);
  assert.equal(
    isSigned(third.sent),
    isSigned(first.answer.turn) && client.dialect !== 'openai-chat',
    'what it had signed itself',
  );
}

for (const client of conversational)
  for (const stream of [true, false])
    describe(`a client of ${client.dialect}${stream ? ', streaming' : ''}`, () => {
      for (const from of stations)
        for (const to of stations)
          if (from !== to) test(`from ${from.name} to ${to.name} and back`, () => moved(client, from, to, stream));
    });
