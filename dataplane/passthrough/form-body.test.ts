import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { FormBody, type FormBounds } from './form-body.ts';

const FORM =
  '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\npublic-name\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nsound\r\n--b--\r\n';

/** A request whose body comes in these pieces. */
const requestOf = (pieces: readonly string[], headers: Record<string, string> = {}): IncomingMessage =>
  Object.assign(Readable.from(pieces.map(piece => Buffer.from(piece))), { headers }) as unknown as IncomingMessage;

const bounds = (more: Partial<FormBounds> = {}): FormBounds => ({
  maxBytes: 10_000,
  budget: { held: 0, max: 10_000 },
  until: 'model',
  ...more,
});

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a form on its way', () => {
  test('is the same but for the name of the model, wherever it was cut', async () => {
    for (let cut = 0; cut <= FORM.length; cut++) {
      const form = new FormBody(requestOf([FORM.slice(0, cut), FORM.slice(cut)].filter(Boolean)), 'b', bounds());
      assert.equal((await form.arrived()).ok, true);
      const [model] = form.reader.fields.get('model')!;
      const sent = await textOf(form.stream({ at: model!.at, text: 'a-longer-upstream-name' })!);
      assert.equal(sent, FORM.replace('public-name', 'a-longer-upstream-name'), String(cut));
      assert.equal(form.isWhole, true);
    }
  });

  test('knows the size of what it sends', () => {
    const form = new FormBody(requestOf([FORM], { 'content-length': String(FORM.length) }), 'b', bounds());
    assert.equal(form.sizeWith(undefined), FORM.length);
    assert.equal(form.sizeWith({ at: { start: 10, end: 14 }, text: 'ü' }), FORM.length - 2);
  });

  test('is held until the model is known, and counted while it is', async () => {
    const [before, behind] = [FORM.slice(0, FORM.indexOf('sound')), FORM.slice(FORM.indexOf('sound'))];
    const budget = { held: 0, max: 10_000 };
    const form = new FormBody(requestOf([before, behind]), 'b', bounds({ budget }));
    await form.arrived();
    assert.equal(budget.held, before.length);
    assert.equal(form.isWhole, false);
    await textOf(form.stream(undefined)!);
    assert.deepEqual([budget.held, form.isWhole], [0, true]);
  });

  test('is sent once: what has begun cannot be sent again, and what has not can', async () => {
    const form = new FormBody(requestOf([FORM]), 'b', bounds());
    await form.arrived();
    form.stream(undefined)!.destroy();
    const again = form.stream(undefined);
    assert.ok(again);
    assert.equal(await textOf(again), FORM);
    assert.equal(form.stream(undefined), undefined);
  });

  for (const [sentence, pieces, more, failure] of [
    ['too large before the model is known', ['--b\r\n', 'x'.repeat(200)], { maxBytes: 100 }, 'body_too_large'],
    ['too large as it says itself', [FORM], { maxBytes: 100, headers: true }, 'body_too_large'],
    ['more than all that is held at once', [FORM], { budget: { held: 9_950, max: 10_000 } }, 'no_backend'],
    ['cut', [FORM.slice(0, -6)], { until: 'end' }, 'invalid_request'],
  ] as const)
    test(`that is ${sentence} is refused, and holds nothing`, async () => {
      const limits = bounds(more as Partial<FormBounds>);
      const headers: Record<string, string> = 'headers' in more ? { 'content-length': String(FORM.length) } : {};
      const form = new FormBody(requestOf(pieces, headers), 'b', limits);
      const held = limits.budget.held;
      const arrived = await form.arrived();
      assert.equal(!arrived.ok && arrived.failure.class, failure);
      assert.equal(limits.budget.held, held);
    });

  test('is a file for a batch where it has that one file, which nobody could take for another', async () => {
    const line = JSON.stringify({ custom_id: 'a', body: { model: 'm' } });
    const part = (disposition: string) => `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${line}\r\n`;
    const file = part('name="file"; filename="f"');
    const read = async (parts: string) => {
      const form = new FormBody(requestOf([`${parts}--b--\r\n`]), 'b', bounds({ until: 'end', mayBeBatch: true }));
      assert.equal((await form.arrived()).ok, true);
      return form.batchFile();
    };
    assert.equal((await read(file))?.model, 'm');
    for (const other of [part('name="file"'), file, part('name="x"; filename="f"')])
      assert.match(String((await read(file + other))?.problem), /more than one file/);
  });

  test('that turns out to be none while it is sent fails what is sent, and says why', async () => {
    const second = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nanother\r\n--b--\r\n';
    const form = new FormBody(requestOf([FORM.replace('--b--\r\n', ''), second]), 'b', bounds());
    await form.arrived();
    await assert.rejects(textOf(form.stream(undefined)!));
    assert.equal(form.failure?.class, 'invalid_request');
    assert.match(form.failure?.message ?? '', /one field 'model'/);
  });
});
