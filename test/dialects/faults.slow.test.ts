// Faults of every provider, seen by clients of every dialect: what they read is the whole answer, or an error, and never half of one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Answer, Ask, Client } from './ask.ts';
import { clients } from './clients/index.ts';
import { jsonOf, send } from './send.ts';
import { type ModelKind, openStage, publicName, type Stage, type Target, targets } from './targets.ts';

/** What still gives a whole answer; of all others none may look like one. */
const harmless = ['byte-by-byte', 'crlf', 'comments', 'no-done', 'usage-missing', 'gzip'];
const refusing = ['500', '429-none', 'html', 'redirect', 'empty-body', 'reset', 'content-type', 'error-first', 'cut;chunks=0'];
const breaking = ['cut', 'cut-clean', 'cut-reset', 'error-event', 'bad-chunk', 'stall'];

let stage: Stage;
before(async () => {
  stage = await openStage({
    faults: [...harmless, ...refusing, ...breaking],
    spec: { timeouts: { firstToken: '15s', streamIdle: '3s', request: '20s' } },
  });
});
after(() => stage?.close());

async function answerOf(client: Client, target: Target, kind: ModelKind, stream: boolean): Promise<Answer> {
  const ask: Ask = {
    model: publicName(target, kind),
    turns: [{ user: [{ kind: 'text', text: 'Go on. [[tokens=40]]' }] }],
    ...(stream && { stream }),
  };
  const reply = await send(stage.gateway.url, client, ask);
  if (reply.status !== 200) {
    assert.ok(client.readError(jsonOf(reply), reply.status).code, 'an error of the dialect');
    throw new Refused();
  }
  return stream ? client.readStream(reply.bytes) : client.readWhole(jsonOf(reply));
}
class Refused extends Error {}

/** A stall of a whole answer is over when the time for the request is, whoever asks. */
const faultsOf = (stream: boolean): readonly string[] =>
  [...harmless, ...refusing, ...breaking].filter(fault => stream || fault !== 'stall');

async function assertWholeOrAnError(client: Client, target: Target, fault: string, stream: boolean): Promise<void> {
  const fine = await answerOf(client, target, 'model', stream);
  let answer: Answer;
  try {
    answer = await answerOf(client, target, { fault }, stream);
  } catch (error) {
    assert.ok(!harmless.includes(fault), String(error));
    if (refusing.includes(fault) || !stream) assert.ok(error instanceof Refused, String(error));
    return;
  }
  assert.deepEqual([answer.text, answer.finish], [fine.text, fine.finish]);
}

describe('with every fault', { concurrency: 4 }, () => {
  for (const client of clients)
    for (const target of targets)
      describe(`a client of ${client.dialect}, ${target.name}`, { concurrency: 4 }, () => {
        for (const stream of [true, false])
          for (const fault of faultsOf(stream))
            test(`${fault}${stream ? ', streamed' : ''}`, () => assertWholeOrAnError(client, target, fault, stream));
      });
});
