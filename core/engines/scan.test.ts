import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type EngineKind, engineMetrics } from './metrics.ts';
import { MetricScanner, scanTable } from './scan.ts';

const folder = path.join(import.meta.dirname, 'testdata');
const tables = Object.fromEntries((Object.keys(engineMetrics) as EngineKind[]).map(kind => [kind, scanTable(kind)])) as Record<
  EngineKind,
  ReturnType<typeof scanTable>
>;

const scanned = (pieces: readonly (Buffer | string)[], kind: EngineKind = 'vLLM') => {
  const scanner = new MetricScanner(tables[kind]);
  for (const piece of pieces) scanner.push(Buffer.from(piece));
  return scanner.reading();
};

const waiting = (line: string) => scanned([`${line}\n`]).waiting;

describe('the scanner of metrics', () => {
  test('reads the same wherever the pieces are cut', () => {
    const files = readdirSync(folder).map(name => readFileSync(path.join(folder, name)));
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.constantFrom(...(Object.keys(tables) as EngineKind[])),
        cuts,
        (bytes, kind, where) => {
          const points = [0, ...where.map(w => Math.floor(w * bytes.length)).sort((a, b) => a - b), bytes.length];
          const pieces = points.slice(1).map((end, i) => bytes.subarray(points[i], end));
          assert.deepEqual(scanned(pieces, kind), scanned([bytes], kind));
        },
      ),
    );
  });

  test('reads the same byte by byte', () => {
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(path.join(folder, name));
      assert.deepEqual(scanned([...bytes].map(byte => Buffer.from([byte]))), scanned([bytes]), name);
    }
  });

  test('never throws, whatever arrives', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)),
      fc
        .constantFrom('vllm:num_requests_waiting', '{', '}', '"', '\\', ',', '=', ' ', '\n', 'engine', '3')
        .map(text => Buffer.from(text)),
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), pieces => void scanned(pieces)));
  });

  test('takes all that the format allows', () => {
    for (const [line, value] of [
      ['vllm:num_requests_waiting 7', 7],
      ['vllm:num_requests_waiting{} 7', 7],
      ['vllm:num_requests_waiting\t{ engine = "0" , model_name="a" , } \t7.0 1395066363000', 7],
      ['vllm:num_requests_waiting{model_name="} 9 \\" \\\\"} 7', 7],
      ['vllm:num_requests_waiting{model_name="a"} 7e0 # {trace_id="x"} 9', 7],
      ['vllm:num_requests_waiting{model_name="a"} 7.0\r', 7],
      ['vllm:num_requests_waiting{model_name="a"} +7', 7],
    ] as const)
      assert.equal(waiting(line), value, line);
  });

  test('knows nothing from what is broken, missing or no number', () => {
    for (const line of [
      'vllm:num_requests_waiting{model_name="a"} NaN',
      'vllm:num_requests_waiting{model_name="a"} +Inf',
      'vllm:num_requests_waiting{model_name="a"} -1',
      'vllm:num_requests_waiting{model_name="a"}',
      'vllm:num_requests_waiting{model_name="a} 7',
      'vllm:num_requests_waiting{model_name} 7',
      'vllm:num_requests_waiting seven',
      'vllm:num_requests_waiting_by_reason 7',
      'vllm:num_requests_waitin 7',
      '# vllm:num_requests_waiting 7',
    ])
      assert.equal(waiting(line), undefined, line);
  });

  test('does not take a last line that may be cut', () => {
    assert.equal(scanned(['vllm:num_requests_waiting 7']).waiting, undefined);
    assert.equal(scanned(['vllm:num_requests_waiting 1', '2\n']).waiting, 12);
  });

  test('passes over a line without an end', () => {
    const endless = Buffer.alloc(40_000, 'vllm:num_requests_waiting{');
    assert.equal(scanned([endless, endless, endless, '\nvllm:num_requests_waiting 3\n']).waiting, 3);
  });

  test('adds up what several engines tell, and takes the fullest and the mean of their caches', () => {
    const lines = ['0', '1', '2'].flatMap((engine, i) => [
      `vllm:num_requests_running{engine="${engine}"} ${i + 1}`,
      `vllm:num_requests_waiting{engine="${engine}"} ${i}`,
      `vllm:kv_cache_usage_perc{engine="${engine}"} 0.${i + 1}`,
    ]);
    const { running, waiting, kvMax, kvMean, engines } = scanned([`${lines.join('\n')}\n`]);
    assert.deepEqual([running, waiting, kvMax, engines.length], [6, 3, 0.3, 3]);
    assert.ok(Math.abs(kvMean! - 0.2) < 1e-9);
  });

  test('reads the name of an adapter as it is', () => {
    const line = String.raw`vllm:lora_requests_info{max_lora="4",running_lora_adapters="a\\b, c\"d,ü",waiting_lora_adapters=""} 1.5`;
    assert.deepEqual(scanned([`${line}\n`]).adapters, { running: ['a\\b', 'c"d', 'ü'], waiting: [], max: 4 });
  });
});
