// Distributions and the text of Prometheus.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Distribution, exposed, type MetricSpec } from './metrics.ts';

const spec = {
  type: 'histogram',
  name: 'x_seconds',
  help: 'h',
  unit: 's',
  labels: ['a', 'b'],
  buckets: [1, 4],
} as const satisfies MetricSpec;

test('a histogram shows for each of its bounds how many values were at most that, whatever finer bounds they are kept by', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), values => {
      const all = new Distribution([1, 2, 3, 4, 8]);
      for (const value of values) all.observe(value);
      const atMost = (bound: number) => values.filter(value => value <= bound).length;
      assert.equal(
        exposed(spec, [[['', ''], all]]),
        `# HELP x_seconds h\n# TYPE x_seconds histogram\nx_seconds_bucket{le="1"} ${atMost(1)}\nx_seconds_bucket{le="4"} ${atMost(4)}\n` +
          `x_seconds_bucket{le="+Inf"} ${values.length}\nx_seconds_sum ${values.reduce((sum, v) => sum + v, 0)}\nx_seconds_count ${values.length}\n`,
      );
    }),
  );
});

test('label values are escaped, and a label without a value is not there', () => {
  const count = { ...spec, type: 'counter' } as const;
  assert.match(exposed(count, [[['q"\\\n\u2028', ''], 1]]), /\nx_seconds\{a="q\\"\\\\\\n "\} 1\n/);
  assert.match(exposed(count, [[['', 'b'], 1]]), /\nx_seconds\{b="b"\} 1\n/);
});

test('a metric without series is not on the page', () => {
  assert.equal(exposed(spec, []), '');
});
