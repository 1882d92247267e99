import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './simulate.ts';

function terminal() {
  const out: string[] = [];
  const err: string[] = [];
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  return {
    out,
    err,
    stop,
    io: { out: (text: string) => void out.push(text), err: (text: string) => void err.push(text), stopped },
  };
}

test('it says where it listens, serves there until it is stopped, and exits 0', async () => {
  const { out, stop, io } = terminal();
  const exit = simulate(['--port', '0', '--quiet'], io);
  while (out.length === 0) await new Promise(resolve => setImmediate(resolve));
  const origin = /listens on (http:\S+)/.exec(out.join(''))![1]!;
  const answer = await fetch(`${origin}/v1/models`, { headers: { authorization: 'Bearer any' } });
  assert.equal(answer.status, 200);
  stop();
  assert.equal(await exit, 0);
  await assert.rejects(fetch(`${origin}/v1/models`));
});

test('with --engine it is one replica, with the options of vLLM', async () => {
  const { out, stop, io } = terminal();
  const args = ['--engine', '--model', 'llama', '--names', 'SGLang', '--num-gpu-blocks', '100', '--max-model-len', '1600'];
  const exit = simulate([...args, '--port', '0', '--quiet'], io);
  while (out.length === 0) await new Promise(resolve => setImmediate(resolve));
  const origin = /listens on (http:\S+)/.exec(out.join(''))![1]!;
  assert.match(await (await fetch(`${origin}/metrics`)).text(), /num_pages="100"/);
  assert.match(await (await fetch(`${origin}/v1/models`)).text(), /"id":"llama".*"max_model_len":1600/);
  stop();
  assert.equal(await exit, 0);
});

test('an engine whose cache is too small for its longest sequence does not start', async () => {
  const { err, io } = terminal();
  assert.equal(await simulate(['--engine', '--port', '0', '--num-gpu-blocks', '10'], io), 1);
  assert.match(err.join(''), /does not fit into 10 blocks/);
});

test('--help explains every option', async () => {
  const { out, io } = terminal();
  assert.equal(await simulate(['--help'], io), 0);
  for (const option of [
    '--port',
    '--host',
    '--latency',
    '--tokens-per-second',
    '--jitter',
    '--vllm',
    '--engine',
    '--names',
    '--speed',
  ])
    assert.ok(out.join('').includes(option));
});

test('arguments it does not understand are named, with exit code 2', async () => {
  for (const [args, message] of [
    [['--port', 'x'], /--port takes a number from 0 to 65535, not 'x'/],
    [['--jitter', '2'], /--jitter takes a number from 0 to 1/],
    [['--pace', '2'], /--pace/],
    [['--engine', '--names', 'Ollama'], /--names takes vLLM, .*not 'Ollama'/],
  ] as const) {
    const { err, io } = terminal();
    assert.equal(await simulate([...args], io), 2);
    assert.match(err.join(''), message);
  }
});

test('a port that is taken is exit code 1', async () => {
  const { out, stop, io } = terminal();
  const first = simulate(['--port', '0', '--quiet'], io);
  while (out.length === 0) await new Promise(resolve => setImmediate(resolve));
  const port = /listens on http:\/\/[^:]+:(\d+)/.exec(out.join(''))![1]!;
  const second = terminal();
  assert.equal(await simulate(['--port', port], second.io), 1);
  assert.match(second.err.join(''), /cannot listen/);
  stop();
  await first;
});
