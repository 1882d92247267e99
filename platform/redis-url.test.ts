// Ways to name a Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRedisUrl } from './redis-url.ts';

const cases: readonly [string, ReturnType<typeof readRedisUrl>][] = [
  ['redis://localhost', { kind: 'single', nodes: [{ host: 'localhost', port: 6379 }], tls: false, db: 0 }],
  [
    'rediss://u:p%40s@h:1/2',
    { kind: 'single', nodes: [{ host: 'h', port: 1 }], tls: true, username: 'u', password: 'p@s', db: 2 },
  ],
  ['redis://:secret@[::1]:7', { kind: 'single', nodes: [{ host: '::1', port: 7 }], tls: false, password: 'secret', db: 0 }],
  ['unix:/run/redis.sock', { kind: 'single', nodes: [], path: '/run/redis.sock', tls: false, db: 0 }],
  ['redis+cluster://a', { kind: 'cluster', nodes: [{ host: 'a', port: 6379 }], tls: false, db: 0 }],
  [
    'rediss://a:1,b:2',
    {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      tls: true,
      db: 0,
    },
  ],
  ['redis+sentinel://a/main/3', { kind: 'sentinel', nodes: [{ host: 'a', port: 26379 }], tls: false, db: 3, primary: 'main' }],
];

for (const [url, place] of cases) test(`${url} is understood`, () => assert.deepEqual(readRedisUrl(url), place));

test('what is no URL of a Redis is refused without repeating it, as it may hold a password', () => {
  assert.throws(
    () => readRedisUrl('http://user:hunter2@host'),
    (error: Error) => error instanceof TypeError && !error.message.includes('hunter2'),
  );
});
