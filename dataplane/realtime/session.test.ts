// A session between two sides that are scripted, and an account that writes down what it is told.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { setImmediate as soon } from 'node:timers/promises';
import type { Usage } from '#core/chat/usage.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { WebSocket } from '#platform/websocket.ts';
import type { Ending, SessionAccount } from './account.ts';
import { RealtimeSession } from './session.ts';

class Side extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: string[] = [];
  code: number | undefined;
  send(data: Buffer | string): void {
    this.sent.push(String(data));
  }
  close(code: number): void {
    this.code ??= code;
    this.readyState = 3;
    this.emit('close', code, Buffer.alloc(0));
  }
  terminate(): void {
    this.close(1006);
  }
  pause(): void {}
  resume(): void {}
  ping(): void {}
  says(event: object): void {
    this.emit('message', Buffer.from(JSON.stringify(event)), false);
  }
  /** Types of what was sent to it. */
  told(): string[] {
    return this.sent.map(text => JSON.parse(text).type);
  }
}

function stage() {
  const [client, upstream] = [new Side(), new Side()];
  const rows: { readonly kind: string; readonly estimated: boolean; readonly usage: Usage | undefined }[] = [];
  const settling = Promise.withResolvers<undefined>();
  let isSlow = false;
  const wait = () => (isSlow ? settling.promise : Promise.resolve(undefined));
  const account = {
    begin: wait,
    end: ({ kind, estimated, usage }: Ending) => rows.push({ kind, estimated, usage }),
    besides: (_candidate: Candidate, _endpoint: string, usage: Usage, estimated: boolean) => {
      rows.push({ kind: 'besides', estimated, usage });
      return wait();
    },
    close: async () => {},
  } as unknown as SessionAccount;
  const candidate = {
    provider: { id: 'default/p', models: [] },
    model: { name: 'voice', upstreamName: 'gpt-realtime', contextWindow: 1000 },
  } as unknown as Candidate;
  const session = new RealtimeSession({
    client: client as unknown as WebSocket,
    upstream: upstream as unknown as WebSocket,
    candidate,
    endpoint: '',
    account,
    mayTranscribe: ({ model }) => model.name === 'whisper',
    onError: error => assert.fail(String(error)),
  });
  const over = session.run();
  const slowly = () => {
    isSlow = true;
    return () => settling.resolve(undefined);
  };
  return { client, upstream, rows, over, slowly };
}

const create = { type: 'response.create' };
const began = { type: 'response.created', response: { id: 'r' } };
const done = (output_tokens: number) => ({
  type: 'response.done',
  response: { id: 'r', usage: { input_tokens: 5, output_tokens } },
});

describe('a session', () => {
  test('passes nothing on of which readers could differ', async () => {
    const { client, upstream } = stage();
    client.emit('message', Buffer.from(JSON.stringify(create)), true);
    for (const text of ['{"type":"response.create","x":NaN}', '[]', '{"type":"a","type":"response.create"}'])
      client.emit('message', Buffer.from(text), false);
    assert.deepEqual([upstream.sent, client.told()], [[], Array(4).fill('error')]);
    client.close(1000);
  });

  test('does not name what is stored, nor models that its key may not use, wherever those stand', async () => {
    const { client, upstream } = stage();
    client.says({ type: 'conversation.item.create', item: { content: [{ type: 'input_file', file_id: 'file-foreign' }] } });
    const transcription = (model: string) => ({ model });
    client.says({
      type: 'session.update',
      session: {
        audio: { input: { transcription: transcription('whisper') } },
        input_audio_transcription: transcription('dear'),
      },
    });
    assert.deepEqual([upstream.sent, client.told()], [[], ['error', 'error']]);
    client.close(1000);
  });

  test('has one response asked for at a time, also when something else was wrong meanwhile', async () => {
    const { client, upstream } = stage();
    client.says({ ...create, event_id: 'e_1' });
    upstream.says({ type: 'error', error: { event_id: 'e_0' } });
    await soon();
    client.says(create);
    assert.deepEqual([upstream.told(), client.told()], [['response.create'], ['error', 'error']]);
    upstream.says({ type: 'error', error: { event_id: 'e_1' } });
    await soon();
    client.says(create);
    assert.equal(upstream.sent.length, 2);
    client.close(1000);
  });

  test('ends where a second response is made beside the one that is covered, and pays for it', async () => {
    const { client, upstream, rows, over } = stage();
    client.says({ type: 'conversation.item.create', item: { text: 'x'.repeat(100) } });
    upstream.says(began);
    upstream.says(began);
    await over;
    assert.equal(client.code, 1008);
    assert.deepEqual(
      rows.map(({ kind, estimated, usage }) => [kind, estimated, usage!.inputUncached > 100]),
      [
        ['besides', true, true],
        ['broken', true, true],
      ],
    );
  });

  for (const [who, leave] of [
    ['the provider', (_client: Side, upstream: Side) => upstream.close(1000)],
    ['the client', (client: Side) => client.close(1000)],
  ] as const)
    test(`accounts for all that was told before ${who} left`, async () => {
      const { client, upstream, rows, over, slowly } = stage();
      const settled = slowly();
      upstream.says(began);
      upstream.says(done(7));
      upstream.says(began);
      upstream.says(done(9));
      leave(client, upstream);
      settled();
      await over;
      assert.deepEqual(
        rows.map(({ kind, estimated, usage }) => [kind, estimated, usage!.output]),
        [
          ['answered', false, 7],
          ['answered', false, 9],
          ['answered', false, 0],
        ],
      );
      if (who === 'the provider') assert.equal(client.told().filter(type => type === 'response.done').length, 2);
    });

  test('estimates what was written down where nobody says what that cost, by what was heard', async () => {
    const { client, upstream, rows } = stage();
    client.says({ type: 'input_audio_buffer.append', audio: 'A'.repeat(640_000) });
    upstream.says({ type: 'conversation.item.input_audio_transcription.completed', transcript: 'x' });
    await soon();
    const [row] = rows;
    assert.ok(row?.estimated && row.usage!.units! >= 10 && row.usage!.audioInput > 0, JSON.stringify(row));
    client.close(1000);
  });
});
