// Each fault does what its name says, seen from a raw socket where a client would hide it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, beforeEach, test } from 'node:test';
import { crc32, gunzipSync } from 'node:zlib';
import { faults, parseFault } from './faults.ts';
import { startSimulator } from './index.ts';

const simulator = await startSimulator();
after(() => simulator.close());
beforeEach(() => simulator.reset());

const wires = {
  openai: { path: '/v1/chat/completions', extra: {}, headers: '' },
  azure: { path: '/openai/v1/chat/completions', extra: {}, headers: '' },
  vllm: { path: '/vllm/v1/chat/completions', extra: {}, headers: '' },
  anthropic: { path: '/v1/messages', extra: { max_tokens: 200 }, headers: 'anthropic-version: 2023-06-01\r\n' },
} as const;
type WireName = keyof typeof wires;
type Asked = {
  readonly fault: string;
  readonly wire?: WireName;
  readonly stream?: boolean;
  readonly patience?: number;
  readonly fields?: object;
};

/** What came over the socket until it ended, or until nothing came for `patience` ms. */
type Seen = {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  readonly raw: Buffer;
  readonly pieces: number;
  readonly end: 'fin' | 'rst' | 'silent';
};

function ask({ fault, wire = 'openai', stream = true, patience = 150, fields = {} }: Asked): Promise<Seen> {
  const { path, extra, headers } = wires[wire];
  const body = JSON.stringify({ model: `m!${fault}`, messages: [{ role: 'user', content: 'Hi' }], stream, ...extra, ...fields });
  return exchange(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n${headers}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    patience,
  );
}

function exchange(request: string, patience: number): Promise<Seen> {
  return new Promise(resolve => {
    const pieces: Buffer[] = [];
    const socket = connect({ port: simulator.port, host: '127.0.0.1', noDelay: true });
    const finish = (end: Seen['end']) => {
      socket.destroy();
      resolve(seen(pieces, end));
    };
    socket.setTimeout(patience, () => finish('silent'));
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('end', () => finish('fin'));
    socket.on('error', () => finish('rst'));
    socket.on('connect', () => socket.write(request));
  });
}

function seen(pieces: readonly Buffer[], end: Seen['end']): Seen {
  const raw = Buffer.concat(pieces);
  const split = raw.indexOf('\r\n\r\n');
  const headers = raw.subarray(0, Math.max(split, 0)).toString().toLowerCase();
  const bytes = split < 0 ? Buffer.alloc(0) : raw.subarray(split + 4);
  const content = headers.includes('transfer-encoding: chunked') ? dechunked(bytes) : bytes;
  return {
    status: Number(headers.split(' ')[1] ?? 0),
    headers,
    body: content.toString(),
    raw: content,
    pieces: pieces.length,
    end,
  };
}

function dechunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString(), 16);
    if (lineEnd < 0 || !size) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

const contentFrames = (body: string) => body.match(/"content":"[^"]|"text_delta"/g)?.length ?? 0;
const tested = new Set<string>();
const faultTest = (name: string, sentence: string, run: () => Promise<void>) => {
  tested.add(name);
  test(`${name}: ${sentence}`, run);
};

const statuses: Record<string, Record<WireName, number>> = {
  '400': { openai: 400, azure: 400, vllm: 400, anthropic: 400 },
  '401': { openai: 401, azure: 401, vllm: 401, anthropic: 401 },
  billing: { openai: 429, azure: 429, vllm: 402, anthropic: 400 },
  '403': { openai: 403, azure: 403, vllm: 403, anthropic: 403 },
  '404': { openai: 404, azure: 404, vllm: 404, anthropic: 404 },
  '408': { openai: 408, azure: 408, vllm: 408, anthropic: 408 },
  '409': { openai: 409, azure: 409, vllm: 409, anthropic: 409 },
  '413': { openai: 413, azure: 413, vllm: 413, anthropic: 413 },
  '422': { openai: 422, azure: 422, vllm: 422, anthropic: 422 },
  quota: { openai: 429, azure: 429, vllm: 429, anthropic: 402 },
  '500': { openai: 500, azure: 500, vllm: 500, anthropic: 500 },
  '502': { openai: 502, azure: 502, vllm: 502, anthropic: 502 },
  '503': { openai: 503, azure: 503, vllm: 503, anthropic: 503 },
  '504': { openai: 504, azure: 504, vllm: 504, anthropic: 504 },
  '529': { openai: 529, azure: 529, vllm: 529, anthropic: 529 },
  'context-length': { openai: 400, azure: 400, vllm: 400, anthropic: 400 },
};
for (const [fault, expected] of Object.entries(statuses))
  faultTest(fault, 'has its status on every wire, streamed or not', async () => {
    for (const wire of Object.keys(wires) as WireName[])
      for (const stream of [true, false]) {
        const { status, body } = await ask({ fault, wire, stream });
        assert.equal(status, expected[wire], wire);
        assert.match(body, /error|<html>/);
      }
  });

const bodies: readonly (readonly [fault: string, wire: WireName, body: RegExp])[] = [
  ['context-length', 'openai', /"code":"context_length_exceeded"/],
  ['context-length', 'anthropic', /prompt is too long: 210000 tokens > 200000 maximum/],
  ['context-length', 'vllm', /Please reduce the length of the input prompt/],
  ['quota', 'openai', /"type":"insufficient_quota"/],
  ['billing', 'anthropic', /credit balance is too low/],
  ['529', 'anthropic', /"type":"overloaded_error","message":"Overloaded"/],
  ['content-filter', 'azure', /ResponsibleAIPolicyViolation/],
  ['content-filter', 'openai', /"code":"invalid_prompt"/],
  ['content-filter', 'anthropic', /"stop_reason":"refusal"/],
  ['404', 'openai', /"code":"model_not_found"/],
  ['429', 'openai', /"type":"tokens".*"code":"rate_limit_exceeded"/],
  ['429', 'azure', /exceeded token rate limit.*Please retry after 26 seconds/],
  ['429', 'anthropic', /"type":"rate_limit_error"/],
];
for (const [fault, wire, body] of bodies)
  faultTest(fault, `is worded as ${wire} does`, async () => assert.match((await ask({ fault, wire, stream: false })).body, body));

const retryAfter: Record<string, RegExp> = {
  '429': /\r\nretry-after: 2(\r|$)/,
  '429-ms': /\r\nretry-after-ms: 250\r[\s\S]*retry-after: 1/,
  '429-date': /\r\nretry-after: \w{3}, \d\d \w{3} \d{4} [\d:]{8} gmt/,
  '429-negative': /\r\nretry-after: -1/,
  '429-absurd': /\r\nretry-after: 99999999/,
};
for (const [fault, headers] of Object.entries(retryAfter))
  faultTest(fault, 'has its form of Retry-After', async () => {
    const answer = await ask({ fault });
    assert.equal(answer.status, 429);
    assert.match(answer.headers, headers);
  });
faultTest('503', 'may bring a Retry-After', async () =>
  assert.match((await ask({ fault: '503;after=3' })).headers, /retry-after: 3/),
);
faultTest('429-none', 'has no Retry-After', async () =>
  assert.doesNotMatch((await ask({ fault: '429-none' })).headers, /retry-after/),
);

for (const wire of ['openai', 'anthropic'] as const) {
  const isComplete = (body: string) => /\[DONE\]|message_stop/.test(body);
  faultTest('cut', `${wire}: FIN in the middle of the body after so many frames`, async () => {
    const answer = await ask({ fault: 'cut;chunks=3', wire });
    assert.deepEqual([answer.status, answer.end, contentFrames(answer.body), isComplete(answer.body)], [200, 'fin', 3, false]);
    await assert.rejects(
      fetch(simulator.origin + wires[wire].path, {
        method: 'POST',
        headers: { authorization: 'Bearer k', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify({ model: 'm!cut', stream: true, messages: [{ role: 'user', content: 'Hi' }], ...wires[wire].extra }),
      }).then(response => response.text()),
    );
  });
  faultTest('cut-clean', `${wire}: a proper end without terminator`, async () => {
    const answer = await ask({ fault: 'cut-clean', wire });
    assert.deepEqual([answer.end, contentFrames(answer.body), isComplete(answer.body)], ['fin', 2, false]);
  });
  faultTest('stall', `${wire}: silence after so many frames`, async () => {
    const answer = await ask({ fault: 'stall;chunks=1', wire });
    assert.deepEqual([answer.end, contentFrames(answer.body)], ['silent', 1]);
  });
  faultTest('role-then-silence', `${wire}: the first frame, no content`, async () => {
    const answer = await ask({ fault: 'role-then-silence', wire });
    assert.deepEqual([answer.end, contentFrames(answer.body)], ['silent', 0]);
    assert.match(answer.body, /"role":"assistant"/);
  });
  faultTest('error-first', `${wire}: an error in a 200 before content`, async () => {
    const answer = await ask({ fault: 'error-first', wire });
    assert.deepEqual([answer.status, contentFrames(answer.body), isComplete(answer.body)], [200, 0, false]);
    assert.match(answer.body, wire === 'openai' ? /data: {"error":{"message"/ : /event: error\ndata: .*"overloaded_error"/);
  });
  faultTest('error-event', `${wire}: an error in a 200 after content`, async () => {
    const answer = await ask({ fault: 'error-event', wire });
    assert.deepEqual([contentFrames(answer.body), isComplete(answer.body)], [2, false]);
    assert.match(answer.body, /"error"/);
  });
  faultTest('bad-chunk', `${wire}: one frame is no JSON, the rest is`, async () => {
    const { body } = await ask({ fault: 'bad-chunk', wire });
    const broken = body.match(/^data: \{.*$/gm)!.filter(line => !isJson(line.slice(6)));
    assert.equal(broken.length, 1);
    assert.ok(isComplete(body));
    assert.ok(!isJson((await ask({ fault: 'bad-chunk', wire, stream: false })).body));
  });
  faultTest('no-done', `${wire}: complete but for the terminator`, async () => {
    const { body } = await ask({ fault: 'no-done', wire });
    assert.ok(!isComplete(body));
    assert.match(body, /"finish_reason":"stop"|"stop_reason":"end_turn"/);
  });
  faultTest('empty', `${wire}: a well-formed answer that says nothing`, async () => {
    const whole = JSON.parse((await ask({ fault: 'empty', wire, stream: false })).body);
    assert.ok(wire === 'openai' ? whole.choices[0].message.content === '' : whole.content.length === 0);
    const { body } = await ask({ fault: 'empty', wire });
    assert.deepEqual([contentFrames(body), isComplete(body)], [0, true]);
  });
  faultTest('comments', `${wire}: signs of life between frames`, async () => {
    const { body } = await ask({ fault: 'comments', wire });
    assert.ok(body.match(wire === 'openai' ? /^: keep-alive$/gm : /^event: ping$/gm)!.length > 5);
    assert.ok(isComplete(body));
  });
  faultTest('usage-missing', `${wire}: usage is nowhere`, async () => {
    const usage = wire === 'openai' ? { stream_options: { include_usage: true } } : {};
    assert.doesNotMatch((await ask({ fault: 'usage-missing', wire, fields: usage })).body, /"usage":\{/);
    assert.doesNotMatch((await ask({ fault: 'usage-missing', wire, stream: false })).body, /"usage"/);
  });
  faultTest('usage2x', `${wire}: usage claims twice what the bill says`, async () => {
    const { usage } = JSON.parse((await ask({ fault: 'usage2x', wire, stream: false })).body);
    const bill = simulator.bill().m!;
    assert.equal(usage.completion_tokens ?? usage.output_tokens, bill.completion_tokens * 2);
    assert.equal(usage.prompt_tokens ?? usage.input_tokens, bill.prompt_tokens * 2);
  });
  faultTest('content-filter-output', `${wire}: withheld after its first words`, async () => {
    const { body } = await ask({ fault: 'content-filter-output', wire });
    assert.equal(contentFrames(body), 2);
    assert.match(body, /"finish_reason":"content_filter"|"stop_reason":"refusal"/);
  });
  faultTest('slow-first-token', `${wire}: the first token takes as long as asked`, async () => {
    const before = performance.now();
    const answer = await ask({ fault: 'slow-first-token;ms=120', wire, patience: 1000 });
    assert.ok(performance.now() - before >= 119);
    assert.ok(isComplete(answer.body));
  });
}

faultTest('slow', 'tokens come at the rate that was asked for', async () => {
  const before = performance.now();
  const answer = await ask({ fault: 'slow;tps=200', fields: { max_tokens: 20 }, patience: 1000 });
  assert.ok(performance.now() - before >= 95);
  assert.match(answer.body, /\[DONE\]/);
});
faultTest('refusal', 'the model declines in words', async () => {
  const { choices } = JSON.parse((await ask({ fault: 'refusal', stream: false })).body);
  assert.equal(choices[0].message.content, null);
  assert.match(choices[0].message.refusal, /can't help/);
  assert.match((await ask({ fault: 'refusal' })).body, /"delta":{"refusal":/);
  assert.equal(JSON.parse((await ask({ fault: 'refusal', wire: 'anthropic', stream: false })).body).stop_reason, 'refusal');
});
faultTest('cut', 'of a body that is not streamed comes the first half', async () => {
  const answer = await ask({ fault: 'cut', stream: false });
  assert.equal(answer.end, 'fin');
  assert.ok(answer.body.length > 20 && !isJson(answer.body));
});
faultTest('cut-reset', 'RST after so many frames', async () => {
  const answer = await ask({ fault: 'cut-reset' });
  assert.deepEqual([answer.end, contentFrames(answer.body)], ['rst', 2]);
});
faultTest('silence', 'not even headers', async () => {
  const answer = await ask({ fault: 'silence' });
  assert.deepEqual([answer.end, answer.pieces], ['silent', 0]);
});
faultTest('headers-then-silence', 'headers and nothing more', async () => {
  const answer = await ask({ fault: 'headers-then-silence' });
  assert.deepEqual([answer.end, answer.status, answer.body], ['silent', 200, '']);
});
faultTest('reset', 'RST, and the request is on record', async () => {
  assert.deepEqual([(await ask({ fault: 'reset' })).end, simulator.requests().length], ['rst', 1]);
});
faultTest('reset-before', 'RST when the connection opens, as often as the rule says', async () => {
  simulator.addFault({ fault: 'reset-before', match: { times: 1 } });
  assert.equal((await ask({ fault: '500' })).end, 'rst');
  assert.equal(simulator.requests().length, 0);
  assert.equal((await ask({ fault: '500' })).status, 500);
});
faultTest('empty-body', '200 and nothing', async () => {
  const answer = await ask({ fault: 'empty-body', stream: false });
  assert.deepEqual([answer.status, answer.body, answer.end], [200, '', 'fin']);
});
faultTest('whitespace', 'nothing but white space up to max_tokens', async () => {
  const { choices, usage } = JSON.parse((await ask({ fault: 'whitespace', stream: false, fields: { max_tokens: 50 } })).body);
  assert.equal(choices[0].message.content.trim(), '');
  assert.deepEqual([choices[0].finish_reason, usage.completion_tokens], ['length', 50]);
});
faultTest('html', '200 with a page', async () => {
  const answer = await ask({ fault: 'html' });
  assert.deepEqual([answer.status, answer.headers.includes('content-type: text/html')], [200, true]);
  assert.match(answer.body, /<html>/);
});
faultTest('content-type', 'the right answer under the wrong name', async () => {
  const answer = await ask({ fault: 'content-type', stream: false });
  assert.match(answer.headers, /content-type: text\/html/);
  assert.ok(isJson(answer.body));
});
for (const [fault, off] of [['length-long', 10], ['length-short', -10]] as const) // biome-ignore format: a table
  faultTest(fault, `content-length is off by ${off}`, async () => {
    for (const stream of [true, false]) {
      const answer = await ask({ fault, stream });
      assert.equal(Number(/content-length: (\d+)/.exec(answer.headers)![1]), answer.raw.length + off);
      assert.equal(answer.end, 'fin');
    }
  });
faultTest('redirect', '302 elsewhere', async () => {
  const answer = await ask({ fault: 'redirect' });
  assert.equal(answer.status, 302);
  assert.match(answer.headers, /location: https:\/\/elsewhere\.example\.com/);
});
faultTest('gzip', 'compressed though nobody asked', async () => {
  const answer = await ask({ fault: 'gzip' });
  assert.match(answer.headers, /content-encoding: gzip/);
  assert.match(gunzipSync(answer.raw).toString(), /\[DONE\]/);
});
faultTest('byte-by-byte', 'the whole answer in many pieces', async () => {
  const answer = await ask({ fault: 'byte-by-byte', patience: 2000 });
  assert.match(answer.body, /\[DONE\]/);
  assert.ok(answer.pieces > answer.body.length / 20, String(answer.pieces));
});
/** A conversation with Bedrock, whose frames are read by their lengths alone. */
async function binaryAsk(fault: string) {
  const response = await fetch(`${simulator.origin}/model/amazon.nova-lite-v1%3A0/converse-stream`, {
    method: 'POST',
    headers: { authorization: 'Bearer k', 'x-simulate-fault': fault },
    body: JSON.stringify({ messages: [{ role: 'user', content: [{ text: 'Hello' }] }] }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  let at = 0;
  const wrong: number[] = [];
  for (let index = 0; at + 12 <= bytes.length && at + bytes.readUInt32BE(at) <= bytes.length; index++) {
    const frame = bytes.subarray(at, at + bytes.readUInt32BE(at));
    if (crc32(frame.subarray(0, -4)) !== frame.readUInt32BE(frame.length - 4)) wrong.push(index);
    at += frame.length;
  }
  return { wrong, left: bytes.length - at, isWhole: bytes.includes('messageStop') };
}
faultTest('bad-crc', 'a frame with a wrong bit, and the rest', async () => {
  assert.deepEqual(await binaryAsk('bad-crc;chunks=1'), { wrong: [2], left: 0, isWhole: true });
});
faultTest('cut-frame', 'half a frame, and a proper end', async () => {
  const { wrong, left, isWhole } = await binaryAsk('cut-frame;chunks=1');
  assert.deepEqual([wrong, isWhole], [[], false]);
  assert.ok(left > 12, String(left));
});
faultTest('crlf', 'lines end in CRLF', async () => {
  const { body } = await ask({ fault: 'crlf' });
  assert.doesNotMatch(body, /[^\r]\n/);
  assert.match(body, /data: \[DONE\]\r\n\r\n/);
});
faultTest('reasoning-content', 'vLLM’s older name for its thinking', async () => {
  const { body } = await ask({ fault: 'reasoning-content', wire: 'vllm', fields: { reasoning_effort: 'low' } });
  assert.match(body, /"reasoning_content":"/);
});

faultTest('cut-upload', 'the request is broken off while it arrives, where it is a form', async () => {
  simulator.addFault({ fault: 'cut-upload;bytes=100', match: { path: '/v1/files' } });
  const part = 'content-disposition: form-data; name="file"; filename="f"\r\n\r\n';
  const head =
    'POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: multipart/form-data; boundary=b\r\n';
  const { status, end } = await exchange(`${head}content-length: 5000\r\n\r\n--b\r\n${part}${'x'.repeat(1000)}`, 5000);
  assert.deepEqual([status, end], [0, 'rst']);
});

test('every fault of the table has a test', () => assert.deepEqual([...tested].sort(), Object.keys(faults).sort()));

test('a fault is asked for by header, by a model called fault-…, or by a rule, and a rule wears off', async () => {
  const status = async (model: string, headers: Record<string, string> = {}) =>
    (
      await fetch(`${simulator.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer k', ...headers },
        body: JSON.stringify({ model, messages: [{ role: 'user', content: 'x' }] }),
      })
    ).status;
  assert.equal(await status('m', { 'x-simulate-fault': '503' }), 503);
  assert.equal(await status('fault-409'), 409);
  simulator.addFault({ fault: '429;after=7', match: { model: 'm', times: 1 } });
  assert.deepEqual([await status('other'), await status('m'), await status('m')], [200, 429, 200]);
  assert.equal(await status('m', { 'x-simulate-fault': 'no-such-fault' }), 404);
  assert.throws(() => simulator.addFault({ fault: 'no-such-fault' }));
});

test('a fault’s name may have options', () => {
  assert.deepEqual(parseFault('cut; chunks=3;x=y'), { name: 'cut', options: { chunks: '3', x: 'y' } });
  assert.deepEqual(parseFault('500'), { name: '500', options: {} });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('every fault is documented', async () => {
  const page = await readFile(new URL('../docs/simulator.md', import.meta.url), 'utf8');
  assert.deepEqual(
    Object.keys(faults).filter(name => !page.includes(`\`${name}\``)),
    [],
  );
});
