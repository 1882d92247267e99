// The states that probes tell apart against the simulated engine: hours of it in moments, as neither side has a clock
// of its own. What real processes make of it is in test/e2e/engines*.slow.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EngineKind } from '#core/engines/metrics.ts';
import { MetricScanner, scanTable } from '#core/engines/scan.ts';
import { type EndpointState, type EngineSettings, newEndpoint, probed } from '#core/engines/state.ts';
import { millis } from '#core/units.ts';
import { expositionOf } from '#simulator/engine/exposition.ts';
import { type EngineNames, engineNames } from '#simulator/engine/metric-names.ts';
import { Replica, type ReplicaSettings } from '#simulator/engine/replica.ts';
import { defaultEngineSettings } from '#simulator/index.ts';

const settings: EngineSettings = {
  interval: millis(250),
  staleAfter: millis(2000),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(2000),
  models: [],
};

const kindOf: Readonly<Record<EngineNames, EngineKind>> = {
  vLLM: 'vLLM',
  'vLLM-0.9': 'vLLM',
  'vLLM-V0': 'vLLM',
  Ray: 'vLLM',
  SGLang: 'SGLang',
  TRTLLM: 'TRTLLM',
  Triton: 'TRTLLM',
  TGI: 'TGI',
};

/** A replica and the one who watches it, on one clock. */
class Watched {
  readonly replica: Replica;
  readonly #names: EngineNames;
  #endpoint: EndpointState = newEndpoint(0);
  now = 0;

  constructor(names: EngineNames = 'vLLM', over: Partial<ReplicaSettings> = {}) {
    this.#names = names;
    this.replica = new Replica({ ...defaultEngineSettings, ...over }, 0);
  }

  submit(promptTokens: number, outputTokens: number, hashes: readonly string[] = []): void {
    this.replica.submit({ promptTokens, outputTokens, finish: 'length', hashes }, this.now);
  }

  /** Up to the next scrape, and what is made of that. */
  scrape(): EndpointState {
    this.now += settings.interval;
    this.replica.advance(this.now);
    const reading = this.replica.reading(this.now);
    const text = expositionOf(engineNames[this.#names]({ reading, model: 'tiny', adapters: [] }), () => undefined);
    const scanner = new MetricScanner(scanTable(kindOf[this.#names]));
    scanner.push(Buffer.from(text));
    this.#endpoint = probed(this.#endpoint, { kind: 'read', reading: scanner.reading() }, this.now, settings);
    return this.#endpoint;
  }

  /** The states of all scrapes for so long. */
  scrapes(forMs: number): string[] {
    return Array.from({ length: Math.ceil(forMs / settings.interval) }, () => this.scrape().name);
  }

  /** Scrapes until it is called so; undefined: not within so many. */
  scrapesUntil(name: string, most: number): number | undefined {
    for (let count = 1; count <= most; count++) if (this.scrape().name === name) return count;
    return undefined;
  }
}

const isBusy = (watched: Watched): boolean =>
  watched.replica.reading(0).engines.some(({ running, waiting }) => running + waiting > 0);

/** Beyond which a scrape may see an engine that makes no progress. */
const wedgedWithin = settings.wedgedAfter / settings.interval + 2;

for (const names of Object.keys(engineNames) as EngineNames[]) {
  test(`${names}: running, waiting and KV usage are read as they are`, () => {
    const watched = new Watched(names, { maxNumSeqs: 2 });
    assert.equal(watched.scrape().name, 'Ready');
    for (let at = 0; at < 5; at++) watched.submit(2000, 500);
    const { reading } = watched.scrape();
    const [truth] = watched.replica.reading(0).engines;
    assert.deepEqual([reading?.running, reading?.waiting], [2, 3]);
    if (names === 'TGI') assert.equal(reading?.kvMax, undefined, 'TGI does not tell');
    else assert.equal(reading?.kvMax, truth!.kvUsage);
  });

  test(`${names}: saturated by its queue, and ready again when that is short`, () => {
    const watched = new Watched(names, { maxNumSeqs: 2 });
    for (let at = 0; at < 8; at++) watched.submit(100, 50);
    assert.equal(watched.scrape().name, 'Saturated');
    assert.ok(watched.scrapesUntil('Ready', 40));
  });

  test(`${names}: wedged is found within wedgedAfter and two scrapes`, () => {
    const watched = new Watched(names);
    watched.submit(1000, 5000);
    watched.scrapes(1000);
    watched.replica.enter('wedged', watched.now);
    const found = watched.scrapesUntil('Wedged', 100);
    assert.ok(found !== undefined && found <= wedgedWithin, `after ${found} scrapes`);
  });
}

test('stuck with an empty batch is wedged too', () => {
  const watched = new Watched();
  watched.replica.enter('stuck', 0);
  watched.submit(10, 10);
  const found = watched.scrapesUntil('Wedged', 100);
  assert.ok(found !== undefined && found <= wedgedWithin, `after ${found} scrapes`);
});

test('what was wedged and works again is ready', () => {
  const watched = new Watched();
  watched.submit(100, 5000);
  watched.scrapes(500);
  watched.replica.enter('wedged', watched.now);
  assert.ok(watched.scrapesUntil('Wedged', 100));
  watched.replica.enter('serving', watched.now);
  assert.ok(watched.scrapesUntil('Ready', 2));
});

test('an idle engine is never wedged', () => {
  assert.deepEqual(new Set(new Watched().scrapes(60_000)), new Set(['Ready']));
});

test('asleep it is no idle replica', () => {
  const watched = new Watched();
  watched.scrape();
  watched.replica.enter('sleeping', watched.now);
  assert.equal(watched.scrape().name, 'Sleeping');
  watched.replica.enter('serving', watched.now);
  assert.equal(watched.scrape().name, 'Ready');
});

test('a restart is told once', () => {
  const watched = new Watched();
  watched.submit(10, 10);
  watched.scrapes(1000);
  watched.replica.restart(watched.now);
  assert.deepEqual(watched.scrapes(500), ['Restarted', 'Ready']);
});

test('of two engines one wedged makes the endpoint a last choice, not a lost one', () => {
  const watched = new Watched('vLLM', { dataParallelSize: 2 });
  watched.submit(10, 50_000);
  watched.submit(10, 50_000);
  watched.scrapes(1000);
  watched.replica.halt([1], watched.now);
  watched.scrapes(settings.wedgedAfter + 500);
  const { name, wedged } = watched.scrape();
  assert.deepEqual([name, wedged], ['Ready', ['1']]);
  watched.replica.halt([0, 1], watched.now);
  assert.ok(watched.scrapesUntil('Wedged', 100));
});

test('a prefill of 128k tokens in chunks is no false alarm', () => {
  // 12.8 s of prefill, in which nothing moves but the KV usage.
  const watched = new Watched('vLLM', { cost: { ...defaultEngineSettings.cost, perPrefillToken: 0.1 } });
  watched.submit(128_000, 20);
  const seen: string[] = [];
  while (isBusy(watched)) seen.push(watched.scrape().name);
  assert.ok(seen.length * settings.interval > 5 * settings.wedgedAfter, 'it takes far longer than wedgedAfter');
  assert.ok(!seen.includes('Wedged'));
});

test('full saturation is no false alarm, also where the cache overflows', () => {
  const watched = new Watched('vLLM', { numGpuBlocks: 600, maxModelLen: 8192, maxNumSeqs: 8 });
  const seen = new Set<string>();
  for (let at = 0; at < 60; at++) watched.submit(1000 + (at % 7) * 300, 400);
  while (isBusy(watched)) seen.add(watched.scrape().name);
  assert.ok(watched.replica.reading(0).engines[0]!.counters.preemptions > 0);
  assert.ok(seen.has('Saturated') && !seen.has('Wedged'), [...seen].join());
});

test('whatever is asked of an engine that works, it is never called wedged; and where it stops with work, always in time', () => {
  // TGI tells nothing that moves during a prefill: one that takes longer than wedgedAfter looks like a standstill.
  const names = fc.constantFrom(...(Object.keys(engineNames) as EngineNames[]).filter(name => name !== 'TGI'));
  const request = fc.record({
    prompt: fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 4000, max: 60_000 })),
    output: fc.integer({ min: 1, max: 300 }),
    /** Scrapes since the one before. */
    after: fc.integer({ min: 0, max: 12 }),
  });
  fc.assert(
    fc.property(
      names,
      fc.array(request, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 60 }),
      (by, requests, stopAfter) => {
        const watched = new Watched(by, { maxNumSeqs: 4, numGpuBlocks: 6000, maxModelLen: 65_536 });
        let scrapes = 0;
        const look = () => {
          scrapes += 1;
          assert.notEqual(watched.scrape().name, 'Wedged');
        };
        for (const { prompt, output, after } of requests) {
          for (let at = 0; at < after; at++) look();
          watched.submit(prompt, output);
          if (scrapes >= stopAfter) break;
        }
        look();
        if (!isBusy(watched)) return;
        watched.replica.enter('wedged', watched.now);
        const found = watched.scrapesUntil('Wedged', 100);
        assert.ok(found !== undefined && found <= wedgedWithin, `after ${found} scrapes`);
      },
    ),
    { numRuns: 40 },
  );
});
