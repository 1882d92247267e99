// What of an error may leave for Sentry.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '@sentry/core';
import { scrubbed, withoutQuotes } from './error-reports.ts';

test('a message keeps its own words, not what it quotes or what looks like a secret', () => {
  for (const [message, kept] of [
    [`Unexpected token 'H', "Hello, my name is"... is not valid JSON`, `Unexpected token 'H', "…"... is not valid JSON`],
    [`Cannot read properties of undefined (reading 'usage')`, `Cannot read properties of undefined (reading 'usage')`],
    ['the key sk-test-2f1d9c4be87a4f0fa6de9b1c5d3e7f80 is bad', 'the key … is bad'],
    ['connect to postgres://u:p@db/x failed', 'connect to … failed'],
    [`it said 'a whole sentence of an answer'`, `it said '…'`],
    ['it said "and never ended', 'it said "…"'],
  ] as const)
    assert.equal(withoutQuotes(message), kept);
  assert.equal(withoutQuotes('long '.repeat(100)).length, 200);
});

test('nothing but the kind of error, its place and the id of the request is left', () => {
  const event = {
    event_id: 'e',
    message: 'x',
    user: { email: 'a@b.c' },
    request: { headers: { authorization: 'Bearer sk' }, data: 'prompt' },
    breadcrumbs: [{ message: 'prompt' }],
    extra: { body: 'prompt' },
    contexts: { anything: { prompt: 'prompt' } },
    server_name: 'host',
    tags: { request_id: 'r' },
    exception: {
      values: [
        {
          type: 'TypeError',
          value: 'said "prompt"',
          stacktrace: {
            frames: [{ filename: 'a.ts', lineno: 1, function: 'f', vars: { body: 'prompt' }, context_line: 'prompt' }],
          },
        },
      ],
    },
  } as unknown as Event;
  assert.deepEqual(scrubbed(event), {
    event_id: 'e',
    tags: { request_id: 'r' },
    exception: {
      values: [
        { type: 'TypeError', value: 'said "…"', stacktrace: { frames: [{ filename: 'a.ts', lineno: 1, function: 'f' }] } },
      ],
    },
  });
});
