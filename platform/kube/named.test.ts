// Objects by their names: told as they are, then every change, also when the server has forgotten what came between.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '#test/support/until.ts';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { ManyNamed } from './named.ts';
import type { KubeObject } from './resource.ts';

const resource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
const object = (name: string, resourceVersion: string): KubeObject => ({ metadata: { name, resourceVersion } });

type Event = { readonly kind: 'modified' | 'deleted'; readonly object: KubeObject } | KubeError;

/** A server of a few objects, whose watch says what the test says. */
class Server {
  readonly objects = new Map<string, KubeObject>();
  readonly watches: string[] = [];
  readonly reads: string[] = [];
  /** By name: reads that fail yet. */
  readonly failing = new Map<string, number>();
  #events: Event[] = [];
  #wake = () => {};

  send(event: Event): void {
    if (!(event instanceof KubeError)) {
      if (event.kind === 'deleted') this.objects.delete(event.object.metadata.name);
      else this.objects.set(event.object.metadata.name, event.object);
    }
    this.#events.push(event);
    this.#wake();
  }

  get client(): KubeClient {
    return {
      find: async (_: unknown, { name }: { name: string }) => {
        this.reads.push(name);
        const failures = this.failing.get(name) ?? 0;
        this.failing.set(name, failures - 1);
        if (failures > 0) throw new KubeError('throttled', 'too many requests');
        return this.objects.get(name);
      },
      watch: async (_: unknown, { resourceVersion }: { resourceVersion: string }, signal: AbortSignal) => {
        this.watches.push(resourceVersion);
        return this.#sent(signal);
      },
    } as unknown as KubeClient;
  }

  async *#sent(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake());
    while (!signal.aborted) {
      const event = this.#events.shift();
      if (event instanceof KubeError) throw event;
      if (event) yield event;
      else
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
    }
  }
}

describe('many objects by one watch', () => {
  const start = (server: Server) => {
    const told: string[] = [];
    const watch = new ManyNamed<KubeObject>({
      client: server.client,
      resource,
      namespace: 'n',
      random: () => 0,
      onChange: (name, found) => told.push(`${name} ${found?.metadata.resourceVersion ?? 'none'}`),
    });
    return { watch, told };
  };

  test('are told as they are, also that there is none, then as they change; others are passed over', async () => {
    const server = new Server();
    server.objects.set('a', object('a', '1'));
    const { watch, told } = start(server);
    await Promise.all([watch.add('a'), watch.add('b')]);
    assert.deepEqual(told.toSorted(), ['a 1', 'b none']);
    server.send({ kind: 'modified', object: object('other', '2') });
    server.send({ kind: 'modified', object: object('b', '3') });
    server.send({ kind: 'deleted', object: object('a', '4') });
    await until('both changes are told', () => told.length === 4);
    assert.deepEqual(told.slice(2), ['b 3', 'a none']);
    await watch.add('other');
    assert.equal(told.at(-1), 'other 2');
    assert.equal(server.watches.length, 1);
    watch.close();
  });

  test('are asked again when the server has forgotten, and told where they are others', async () => {
    const server = new Server();
    server.objects.set('a', object('a', '1')).set('b', object('b', '1'));
    const { watch, told } = start(server);
    await Promise.all([watch.add('a'), watch.add('b')]);
    server.objects.set('a', object('a', '7'));
    server.send(new KubeError('gone', 'forgotten'));
    await until('the change that was missed is told', () => told.includes('a 7'));
    assert.deepEqual(told.toSorted(), ['a 1', 'a 7', 'b 1']);
    assert.deepEqual(server.watches, ['', '']);
    watch.close();
  });

  test('are asked again when the server refused to tell of one that was added later', async () => {
    const server = new Server();
    server.objects.set('a', object('a', '1')).set('b', object('b', '1'));
    const { watch, told } = start(server);
    await watch.add('a');
    server.failing.set('b', 2);
    await watch.add('b');
    assert.deepEqual(told, ['a 1', 'b 1']);
    assert.deepEqual(server.reads, ['a', 'b', 'b', 'b']);
    await until('it is in touch', () => watch.isInTouch);
    watch.close();
  });

  test('are read whenever they are added, also as a reading ends', async () => {
    const server = new Server();
    const { watch, told } = start(server);
    for (let index = 0; index < 50; index++) {
      const added = watch.add(`first-${index}`).then(async () => {
        for (let turns = 0; turns < index % 12; turns++) await undefined;
        await watch.add(`then-${index}`);
      });
      await added;
    }
    assert.equal(told.length, 100);
    watch.close();
  });

  test('go on from where they were when a watch breaks', async () => {
    const server = new Server();
    server.objects.set('a', object('a', '1'));
    const { watch, told } = start(server);
    await watch.add('a');
    server.send({ kind: 'modified', object: object('a', '2') });
    server.send(new KubeError('unreachable', 'reset'));
    await until('it watches again', () => server.watches.length === 2);
    assert.deepEqual(server.watches, ['', '2']);
    assert.deepEqual(server.reads, ['a']);
    assert.deepEqual(told, ['a 1', 'a 2']);
    watch.close();
  });
});
