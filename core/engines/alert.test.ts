import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '../units.ts';
import { engineWedgedAlert } from './alert.ts';

const wedged = { provider: 'default/llama', endpoint: 'http://10.0.0.5:8000', engines: [], wedgedAfter: millis(60_000) };

test('a wedged engine is told about with its place, once for all processes', () => {
  const alert = engineWedgedAlert(wedged);
  assert.equal(
    alert.text,
    'The engine at http://10.0.0.5:8000 (provider default/llama) has requests and has made no progress for 60 s.',
  );
  assert.equal(alert.key, engineWedgedAlert(wedged).key);
  assert.equal(alert.quietFor, 60_000);
});

test('of several engines those are named that are wedged', () => {
  const { text, fields } = engineWedgedAlert({ ...wedged, engines: ['1', '3'] });
  assert.match(text, /^Engine 1, 3 at /);
  assert.equal(fields.engines, '1, 3');
});
