// The corpus of metrics: each file of testdata is one scrape, whose first line says what it is and what must be read in it.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { millis } from '../units.ts';
import type { EngineKind } from './metrics.ts';
import type { Adapters, Reading } from './reading.ts';
import { MetricScanner, scanTable } from './scan.ts';
import { type EngineSettings, type EngineStateName, newEndpoint, probed } from './state.ts';

const folder = path.join(import.meta.dirname, 'testdata');
const recordings = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'recordings', 'vllm');

const settings: EngineSettings = {
  interval: millis(250),
  staleAfter: millis(2_000),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(60_000),
  models: [],
};

type Case = {
  readonly about: string;
  readonly engine: EngineKind;
  readonly state: EngineStateName;
  readonly engines?: number;
  readonly adapters?: Adapters;
} & Readonly<Partial<Record<'running' | 'waiting' | 'kvMax' | 'progress', number | null>>>;

function readingIn(bytes: Buffer, engine: EngineKind): Reading {
  const scanner = new MetricScanner(scanTable(engine));
  scanner.push(bytes);
  return scanner.reading();
}

const stateAfter = (reading: Reading) => probed(newEndpoint(0), { kind: 'read', reading }, 250, settings);

describe('the corpus of metrics', () => {
  for (const file of readdirSync(folder)) {
    const bytes = readFileSync(path.join(folder, file));
    const wanted = JSON.parse(bytes.toString('utf8', '# case '.length, bytes.indexOf('\n'))) as Case;
    test(`${file}: ${wanted.about}`, () => {
      const reading = readingIn(bytes, wanted.engine);
      const { running, waiting, kvMax, adapters, engines } = reading;
      const figures = { running, waiting, kvMax, progress: engines[0]?.progress, adapters, engines: engines.length };
      for (const name of ['running', 'waiting', 'kvMax', 'progress', 'adapters', 'engines'] as const)
        if (name in wanted) assert.deepEqual(figures[name] ?? null, wanted[name], name);
      assert.equal(stateAfter(reading).name, wanted.state);
    });
  }
});

describe('recordings of a real vLLM', {
  skip: existsSync(recordings) ? false : 'there are no recordings beside the project',
}, () => {
  const recorded = (name: string) => readingIn(readFileSync(path.join(recordings, `metrics-${name}.prom`)), 'vLLM');

  test('are read', () => {
    const states = (['idle', 'loaded', 'after', 'two-engines-loaded'] as const).map(name => stateAfter(recorded(name)).name);
    assert.deepEqual(states, ['Ready', 'Saturated', 'Ready', 'Ready']);
  });

  test('show progress where there is some', () => {
    const first = stateAfter(recorded('loaded'));
    const next = probed(first, { kind: 'read', reading: recorded('loaded-later') }, 250 + 60_000, settings);
    assert.notEqual(next.name, 'Wedged');
  });

  test('show an engine that has stopped as wedged, once it has been still for long enough', () => {
    const first = stateAfter(recorded('engine-stopped-1'));
    const still = { kind: 'read', reading: recorded('engine-stopped-2') } as const;
    const patient = { ...settings, wedgedAfter: millis(4_000) };
    assert.equal(probed(first, still, 250 + 3_999, patient).name, first.name);
    assert.equal(probed(first, still, 250 + 4_000, patient).name, 'Wedged');
  });
});
