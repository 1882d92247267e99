// Clients that mean harm: refused or served as stated, the memory of the gateway bounded, and others unharmed.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { exchange, firstAnswer, open } from '#test/support/raw-http.ts';
import { clientKey, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until, within } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { anthropicReply, openaiReply } from '#test/support/wires.ts';

const linux = process.platform === 'linux';
/** Set by `npm run soak`: the full 10,000 connections. */
const IDLE_CONNECTIONS = process.env.TOLLGATE_SOAK ? 10_000 : 1000;
const RSS_BOUND_MIB = 512;

let upstream: Upstream;
let gateway: Gateway;

before(async () => {
  upstream = await startUpstream((response, asked) =>
    json(200, asked.path.includes('messages') ? anthropicReply('Hello.') : openaiReply('Hello.'))(response, asked),
  );
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('oa', 'OpenAI', upstream.url, ['gpt']),
      provider('an', 'Anthropic', upstream.url, ['claude']),
      route('gpt', 'gpt', ['oa']),
      route('claude', 'claude', ['an']),
      tenantKey(),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

/** The gateway still serves, promptly. */
async function assertOthersUnharmed(): Promise<void> {
  const started = performance.now();
  const { status } = await post(gateway.url + chatPath, chat('gpt'));
  assert.equal(status, 200);
  assert.ok(performance.now() - started < 2000, 'a small request is served promptly');
}

/** Also when it is closed instead. */
const drained = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });

const head = (extra: string, length: number): string =>
  `POST ${chatPath} HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nAuthorization: Bearer ${clientKey}\r\nContent-Type: application/json\r\n${extra}${length >= 0 ? `Content-Length: ${length}\r\n` : ''}\r\n`;

const small = JSON.stringify(chat('gpt'));

describe('bodies', () => {
  test('a body above 32 MiB is 413, in chat and in messages, told from its Content-Length alone', async () => {
    for (const path of [chatPath, messagesPath]) {
      const { status, body } = await exchange(
        gateway.port,
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${clientKey}\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n`,
      );
      assert.equal(status, 413);
      assert.match(body, path === chatPath ? /"code":"body_too_large"/ : /"type":"request_too_large"/);
    }
  });

  test('100 MB without a Content-Length is 413, is not collected, and others are served meanwhile', {
    skip: !linux && 'reads /proc',
  }, async () => {
    const before = gateway.rssMiB();
    const socket = await open(gateway.port);
    const answer = firstAnswer(socket, 30_000);
    socket.write(head('Transfer-Encoding: chunked\r\n', -1));
    const megabyte = Buffer.alloc(1024 * 1024, 0x20);
    let peak = 0;
    for (let sent = 0; sent < 100 && !socket.destroyed; sent++) {
      socket.write(`${megabyte.length.toString(16)}\r\n`);
      socket.write(megabyte);
      const accepted = socket.write('\r\n');
      if (!accepted) await Promise.race([drained(socket), answer]);
      if (sent % 10 === 0) {
        await assertOthersUnharmed();
        peak = Math.max(peak, gateway.rssMiB());
      }
    }
    assert.equal((await answer).status, 413);
    console.log(`100 MB in chunks: ${before.toFixed(0)} MiB before, at most ${peak.toFixed(0)} MiB while they came`);
    assert.ok(peak < RSS_BOUND_MIB);
    socket.destroy();
  });

  test('a client that is refused while it sends 20 MB reads the answer, also when its connection is closed after it', async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, 0x20);
    for (const [path, key, expected] of [
      [chatPath, 'unknown', 401],
      ['/v1/models', clientKey, 405],
      ['/nothing', clientKey, 404],
    ] as const)
      for (let round = 0; round < 4; round++) {
        const { status } = await exchange(
          gateway.port,
          `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        assert.equal(status, expected);
      }
  });

  test('JSON nested 10,000 and 1,000,000 deep is 400', async () => {
    for (const depth of [10_000, 1_000_000]) {
      const body = `{"model":"gpt","messages":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      for (const path of [chatPath, messagesPath]) {
        const { status, text } = await post(gateway.url + path, body);
        assert.equal(status, 400, text.slice(0, 200));
      }
    }
    await assertOthersUnharmed();
  });

  test('JSON nested 100 deep is served', async () => {
    const deep = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`;
    const tool = `[{"type":"function","function":{"name":"f","parameters":${deep}}}]`;
    const { status, text } = await post(gateway.url + chatPath, small.replace('{', `{"tools":${tool},`));
    assert.equal(status, 200, text);
  });

  const wrong: readonly [what: string, body: string | Buffer][] = [
    [
      'invalid UTF-8',
      Buffer.concat([
        Buffer.from('{"model":"gpt","messages":[{"role":"user","content":"'),
        Buffer.from([0xc3, 0x28, 0xff]),
        Buffer.from('"}]}'),
      ]),
    ],
    [
      'an overlong encoding',
      Buffer.concat([
        Buffer.from('{"model":"gpt","messages":[{"role":"user","content":"'),
        Buffer.from([0xc0, 0xaf]),
        Buffer.from('"}]}'),
      ]),
    ],
    ['a duplicate key', '{"model":"gpt","model":"claude","messages":[]}'],
    ['a key that is duplicate once unescaped', '{"model":"gpt","\\u006dodel":"claude","messages":[]}'],
    ['text after the object', `${small} {}`],
    ['a cut object', small.slice(0, -5)],
    ['a number for a body', '7'],
    ['a control character in a string', '{"model":"gpt","messages":[{"role":"user","content":"a\u0001b"}]}'],
  ];
  for (const [what, body] of wrong) {
    test(`${what} is 400`, async () => {
      const seen = upstream.asked.length;
      const { status, text } = await post(gateway.url + chatPath, body);
      assert.equal(status, 400, text);
      assert.equal(upstream.asked.length, seen);
    });
  }

  test('a duplicate key inside a message is refused, or the upstream gets what was checked', async () => {
    const body = '{"model":"claude","max_tokens":5,"messages":[{"role":"user","role":"assistant","content":"x"}]}';
    const seen = upstream.asked.length;
    const { status } = await post(gateway.url + chatPath, body);
    if (status !== 400) {
      const sent = upstream.asked[seen]!.body.toString();
      assert.equal(sent.match(/"role":/g)?.length, 1, sent);
    }
  });

  test('a key that differs in case only is another key, and reaches no decision', async () => {
    const { status } = await post(gateway.url + chatPath, '{"Model":"gpt","messages":[]}');
    assert.equal(status, 400, 'there is no model');
  });

  test('a request of 10 MB is served, and the small ones beside it are not held up', async () => {
    const big = chat('gpt', { messages: [{ role: 'user', content: 'x'.repeat(10_000_000) }] });
    const pending = post(gateway.url + chatPath, big);
    await assertOthersUnharmed();
    const { status, text } = await pending;
    assert.equal(status, 200, text.slice(0, 200));
  });

  test('prototype names as keys change nothing', async () => {
    const body = `{"model":"claude","max_tokens":5,"__proto__":{"stream":true},"constructor":{"x":1},"messages":[{"role":"user","content":"x","__proto__":{"role":"system"}}]}`;
    const { status } = await post(gateway.url + chatPath, body);
    assert.ok(status === 200 || status === 400);
    await assertOthersUnharmed();
  });
});

describe('HTTP', () => {
  // A request that would be served, so that a 400 can only come from what is odd about it.
  const body = small;
  const refused: readonly [what: string, bytes: (port: number) => string][] = [
    ['Transfer-Encoding with Content-Length', () => `${head('Transfer-Encoding: chunked\r\n', body.length)}0\r\n\r\n`],
    ['two Content-Lengths', () => `${head('Content-Length: 5\r\n', body.length)}${body}`],
    ['a Content-Length that is no number', () => `${head('Content-Length: 2x\r\n', -1)}${body}`],
    ['a negative Content-Length', () => `${head('Content-Length: -1\r\n', -1)}${body}`],
    [
      'a Transfer-Encoding that does not end in chunked',
      () => `${head('Transfer-Encoding: chunked, identity\r\n', -1)}0\r\n\r\n`,
    ],
    ['a folded header', () => `${head('X-Folded: a\r\n b\r\n', body.length)}${body}`],
    ['a bare line feed between headers', () => `POST ${chatPath} HTTP/1.1\nHost: a\nContent-Length: ${body.length}\n\n${body}`],
    ['a carriage return inside a header', () => `${head('X-Bad: a\rb\r\n', body.length)}${body}`],
    ['a space before the colon', () => `${head('X-Bad : a\r\n', body.length)}${body}`],
    ['a NUL in a header', () => `${head('X-Bad: a\0b\r\n', body.length)}${body}`],
    ['no Host', () => `POST ${chatPath} HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`],
    ['two Hosts', () => `${head('Host: evil.example\r\n', body.length)}${body}`],
    ['an HTTP version that does not exist', () => `GET /health HTTP/9.9\r\nHost: a\r\n\r\n`],
  ];
  for (const [what, bytes] of refused) {
    test(`${what} is 400, and the connection is closed`, async () => {
      const seen = upstream.asked.length;
      const { status, closed } = await exchange(gateway.port, bytes(gateway.port));
      assert.equal(status, 400);
      assert.ok(closed);
      assert.equal(upstream.asked.length, seen);
    });
  }

  for (const host of ['a/b', 'a?b', 'user@host', '127.0.0.1:99999999', 'a b', '[::1', 'a#b', 'a\\b']) {
    test(`Host: ${host} is 400`, async () => {
      const { status } = await exchange(
        gateway.port,
        `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${clientKey}\r\n\r\n`,
      );
      assert.equal(status, 400);
    });
  }

  for (const host of ['gateway.example', 'gateway.example:4000', '[::1]:4000', 'a_b.svc']) {
    test(`Host: ${host} is served`, async () => {
      const { status } = await exchange(
        gateway.port,
        `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${clientKey}\r\n\r\n`,
      );
      assert.equal(status, 200);
    });
  }

  test('headers above 16 KiB are 431, a thousand of them too', async () => {
    for (const bomb of [`X-Big: ${'a'.repeat(70_000)}\r\n`, 'X-Many: a\r\n'.repeat(20_000)]) {
      const { status } = await exchange(gateway.port, head(bomb, 0));
      assert.ok(status === 431 || status === 400, String(status));
    }
    await assertOthersUnharmed();
  });

  test('a key of 8 KB is 401 like any other unknown key', async () => {
    const { status } = await get(`${gateway.url}/v1/models`, { key: `sk-${'a'.repeat(8000)}` });
    assert.equal(status, 401);
  });

  test('pipelined requests are answered in order', async () => {
    const socket = await open(gateway.port);
    const one = `${head('', small.length)}${small}`;
    const unknown = `GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n`;
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.write(one + unknown + one);
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(match => match[1]);
    await until('three answers', () => statuses().length === 3);
    assert.deepEqual(statuses(), ['200', '404', '200']);
    socket.destroy();
  });

  test('Expect: 100-continue is answered', async () => {
    const socket = await open(gateway.port);
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.write(head('Expect: 100-continue\r\n', small.length));
    await until('the interim answer', () => text.startsWith('HTTP/1.1 100'));
    socket.write(small);
    await until('the answer', () => text.includes('HTTP/1.1 200'));
    socket.destroy();
  });

  test('other methods, upgrades and absolute targets do no harm', async () => {
    for (const line of [
      'OPTIONS * HTTP/1.1',
      'TRACE / HTTP/1.1',
      'CONNECT evil.example:443 HTTP/1.1',
      'GET http://evil.example/v1/models HTTP/1.1',
      'GET //v1/models HTTP/1.1',
    ]) {
      const { status, body } = await exchange(gateway.port, `${line}\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assert.ok(status === 0 || status >= 400, `${line}: ${status} ${body}`);
    }
    const upgrade = await exchange(
      gateway.port,
      `GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
    );
    assert.equal(upgrade.status, 401, 'an upgrade that nobody offers is an ordinary request');
    await assertOthersUnharmed();
  });
});

describe('connections', () => {
  test(`${IDLE_CONNECTIONS} idle connections cost little memory and hold nobody up`, {
    skip: !linux && 'reads /proc',
  }, async () => {
    const before = gateway.rssMiB();
    const sockets: Socket[] = [];
    try {
      for (let opened = 0; opened < IDLE_CONNECTIONS; opened += 250) {
        const batch = Math.min(250, IDLE_CONNECTIONS - opened);
        sockets.push(...(await Promise.all(Array.from({ length: batch }, () => open(gateway.port)))));
      }
      await assertOthersUnharmed();
      const after = gateway.rssMiB();
      console.log(`${sockets.length} idle connections: ${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB with them`);
      assert.ok(after < RSS_BOUND_MIB);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await assertOthersUnharmed();
  });

  test('200 clients that send a byte at a time hold nobody up', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => open(gateway.port)));
    const bytes = Buffer.from(head('', small.length) + small);
    try {
      for (let at = 0; at < 20; at++) {
        for (const socket of sockets) socket.write(bytes.subarray(at, at + 1));
        await delay(5);
        if (at % 5 === 0) await assertOthersUnharmed();
      }
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  test('clients that go away in the middle of their request leave nothing behind', async () => {
    const seen = upstream.asked.length;
    for (let round = 0; round < 50; round++) {
      const socket = await open(gateway.port);
      socket.write(head('', small.length + 100) + small);
      socket.resetAndDestroy();
    }
    await assertOthersUnharmed();
    assert.equal(upstream.asked.length, seen + 1, 'only the request that was whole went up');
  });

  test('200 requests at once are all answered', async () => {
    const answers = await within(
      30_000,
      'all answers',
      Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          post(gateway.url + (index % 2 ? messagesPath : chatPath), index % 2 ? message('claude') : chat('gpt')),
        ),
      ),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  });
});
