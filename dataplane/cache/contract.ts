// What every store of the cache promises, as tests over any of them: memory and Redis run the same list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EpochMillis, millis } from '#core/units.ts';
import type { CacheStore, NewEntry } from './store.ts';
import { anAnswer, anEntry, between, digest, vectorOf } from './testing.ts';

export const MAX_BYTES = 256 * 1024;

export type CacheStage = {
  readonly store: CacheStore;
  /** Moves the store's clock. */
  readonly pass: (ms: number) => void;
  readonly now: () => EpochMillis;
};

/** @param stage a store nobody has used, of `MAX_BYTES`, for each test */
export function cacheContract(name: string, stage: () => Promise<CacheStage>): void {
  const says = (sentence: string, run: (stage: CacheStage) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const made = await stage();
      try {
        await run(made);
      } finally {
        await made.store.close();
      }
    });
  const p = digest('p');
  const textOf = async (store: CacheStore, prompt: string, partition = p): Promise<string | undefined> => {
    const entry = store.exact(partition, digest(prompt));
    const part = entry && (await store.answer(entry))?.reply.parts[0];
    return part?.kind === 'text' ? part.text : undefined;
  };
  const keep = async (store: CacheStore, prompt: string, changes: Partial<NewEntry> = {}, text = `to ${prompt}`) => {
    const entry = await store.put(anEntry(prompt, changes), anAnswer(text));
    assert.ok(entry, `${prompt} is stored`);
    return entry;
  };

  says('an answer comes back as it was, long or short', async ({ store }) => {
    for (const answer of [
      anAnswer('Paris'),
      anAnswer('Paris. '.repeat(2000)),
      { ...anAnswer('ü€\ud800'), cost: undefined } as never,
    ]) {
      const entry = await store.put(anEntry('Capital of France?'), answer);
      assert.deepEqual(await store.answer(entry!), JSON.parse(JSON.stringify(answer)));
    }
  });

  says('an entry tells what it was put in with', async ({ store, now }) => {
    const made = anEntry('Hello', { tags: ['a', 'b'], tenant: 'tenant {x}' });
    const entry = await store.put(made, anAnswer('Hi'));
    const { vector: _, askedAt: __, ttl, staleFor, ...same } = made;
    const found = store.exact(p, made.key)!;
    assert.deepEqual(found, entry);
    for (const [field, value] of Object.entries(same)) assert.deepEqual(found[field as keyof typeof found], value, field);
    assert.deepEqual([found.createdAt, found.freshUntil, found.goneAt], [now(), now() + ttl, now() + ttl + staleFor]);
    assert.ok(found.bytes > 200 && found.bytes < 1024, `${found.bytes} bytes`);
  });

  says('nothing is found in another partition, by key or by vector', async ({ store }) => {
    await keep(store, 'Hello');
    const other = digest('p2');
    assert.equal(store.exact(other, digest('Hello')), undefined);
    assert.deepEqual(store.nearest(other, vectorOf('Hello'), 8, -1), []);
  });

  says('the nearest come first, as many as are wanted, above the floor', async ({ store }) => {
    const [a, b] = [vectorOf('a'), vectorOf('b')];
    for (const share of [0.4, 0, 0.2, 0.1, 0.3]) await keep(store, `at ${share}`, { vector: between(a, b, share) });
    const found = store.nearest(p, a, 3, -1);
    assert.deepEqual(
      found.map(({ entry }) => entry.prompt),
      ['at 0', 'at 0.1', 'at 0.2'],
    );
    assert.ok(Math.abs(found[0]!.similarity - 1) < 0.002, `${found[0]!.similarity}`);
    const floor = (found[1]!.similarity + found[2]!.similarity) / 2;
    assert.equal(store.nearest(p, a, 3, floor).length, 2);
    assert.deepEqual(store.nearest(p, vectorOf('a', 32), 3, -1), []);
  });

  says('what has no prompt is found by its key alone', async ({ store }) => {
    await keep(store, '', { key: digest('long') });
    assert.equal(await textOf(store, 'long'), 'to ');
    assert.deepEqual(store.nearest(p, vectorOf(''), 8, -1), []);
  });

  says('an answer is fresh, then stale, then gone', async ({ store, pass, now }) => {
    const entry = await keep(store, 'Hello', { ttl: millis(1000), staleFor: millis(500) });
    pass(1200);
    assert.equal(store.exact(p, entry.key)!.freshUntil < now(), true);
    pass(300);
    assert.equal(store.exact(p, entry.key), undefined);
    assert.deepEqual(store.nearest(p, vectorOf('Hello'), 8, -1), []);
  });

  says('a newer answer to the same takes the place of the older', async ({ store }) => {
    await keep(store, 'Hello', {}, 'one');
    const { bytes } = store.stats();
    await keep(store, 'Hello', {}, 'two');
    assert.equal(await textOf(store, 'Hello'), 'two');
    assert.deepEqual([store.nearest(p, vectorOf('Hello'), 8, 0.9).length, store.stats().entries], [1, 1]);
    assert.equal(store.stats().bytes, bytes);
  });

  says('an alias is another name of an entry, goes with it, and gives way to an entry of its own', async ({ store }) => {
    const entry = await keep(store, 'Hello');
    assert.equal(await store.alias(entry, digest('Hi there')), true);
    assert.equal(await textOf(store, 'Hi there'), 'to Hello');
    await keep(store, 'Good day');
    assert.equal(await store.alias(entry, digest('Good day')), false);
    assert.equal(await textOf(store, 'Good day'), 'to Good day');
    await keep(store, 'Hi there', {}, 'own');
    assert.deepEqual([await textOf(store, 'Hi there'), await textOf(store, 'Hello')], ['own', 'to Hello']);
    await store.alias(entry, digest('Hey'));
    await keep(store, 'Hello', {}, 'newer');
    assert.equal(store.exact(p, digest('Hey')), undefined);
    assert.equal(await store.alias(entry, digest('Hey')), false);
  });

  says('the threshold that was learnt is kept with the entry', async ({ store }) => {
    const entry = await keep(store, 'Hello');
    assert.equal(store.exact(p, entry.key)!.threshold, undefined);
    for (const threshold of [0.9, 0.95]) {
      assert.equal(await store.setThreshold(entry, threshold), true);
      assert.equal(store.nearest(p, vectorOf('Hello'), 1, 0)[0]!.entry.threshold, threshold);
    }
  });

  for (const [scope, left] of [
    [{ tenant: 'acme' }, ['other']],
    [{ route: 'default/s' }, ['acme r', 'acme r tagged', 'other']],
    [{ tenant: 'acme', route: 'default/r' }, ['acme s', 'other']],
    [{ tag: 'v1' }, ['acme r', 'acme s', 'other']],
    [{}, []],
  ] as const)
    says(`flush ${JSON.stringify(scope)} leaves what is not in its scope`, async ({ store }) => {
      await keep(store, 'acme r');
      await keep(store, 'acme r tagged', { tags: ['v0', 'v1'] });
      await keep(store, 'acme s', { route: 'default/s' });
      await keep(store, 'other', { tenant: 'globex' });
      assert.equal(await store.flush(scope), true);
      const prompts = ['acme r', 'acme r tagged', 'acme s', 'other'];
      const found = prompts.filter(prompt => store.exact(p, digest(prompt)));
      assert.deepEqual(found, left);
      assert.equal(store.nearest(p, vectorOf('acme r'), 8, -1).length, left.length);
    });

  says('after a flush only what was asked for after it is stored', async ({ store, pass, now }) => {
    const asked = now();
    pass(10);
    await store.flush({ tenant: 'acme' });
    assert.equal(await store.put(anEntry('old', { askedAt: asked }), anAnswer('old')), undefined);
    await keep(store, 'elsewhere', { askedAt: asked, tenant: 'globex' });
    pass(10);
    await keep(store, 'new', { askedAt: now() });
    assert.equal(await textOf(store, 'new'), 'to new');
  });

  says('what was used last stays within the bound of bytes', async ({ store }) => {
    const text = Array.from({ length: 50 }, (_, i) => digest(`${i}`)).join('');
    for (let i = 0; i < 300; i++) {
      await keep(store, `number ${i}`, {}, text);
      assert.ok(store.exact(p, digest('number 0')), `after ${i}`);
    }
    const { entries, bytes, evicted, maxBytes } = store.stats();
    assert.equal(maxBytes, MAX_BYTES);
    assert.ok(bytes <= MAX_BYTES && bytes > MAX_BYTES / 2, `${bytes} bytes`);
    assert.equal(entries + evicted, 300);
    assert.equal(store.exact(p, digest('number 1')), undefined);
    assert.equal(await textOf(store, 'number 299'), text);
  });

  says('one answer does not take the room of all others', async ({ store }) => {
    const noise = Array.from({ length: 1000 }, (_, i) => digest(`${i}`)).join('');
    assert.equal(await store.put(anEntry('huge'), anAnswer(noise)), undefined);
    assert.equal(store.stats().entries, 0);
  });
}
