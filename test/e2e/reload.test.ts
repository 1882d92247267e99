// Files are watched: an edit is live in under a second; a broken one is reported and the last good configuration stays.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';
import { openaiReply } from '#test/support/wires.ts';

let upstream: Upstream;
let gateway: Gateway;

const resources = (...routes: readonly Resource[]): string =>
  yamlOf(providerSecret, provider('oa', 'OpenAI', upstream.url, ['one', 'two', 'three']), tenantKey(), routes);

const statusOf = async (model: string) => (await post(gateway.url + chatPath, chat(model))).status;

before(async () => {
  upstream = await startUpstream(json(200, openaiReply('Hi')));
  gateway = await startGateway({ yaml: resources(route('one', 'one', ['oa'])) });
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

describe('an edit of the configuration', () => {
  test('is live in under a second', async () => {
    assert.equal(await statusOf('two'), 404);
    const edited = performance.now();
    gateway.configure(resources(route('one', 'one', ['oa']), route('two', 'two', ['oa'])));
    await until('the new route answers', async () => (await statusOf('two')) === 200);
    const took = performance.now() - edited;
    console.log(`an edit was live after ${took.toFixed(0)} ms`);
    assert.ok(took < 1000, `${took} ms`);
  });

  test('can take a route away', async () => {
    gateway.configure(resources(route('one', 'one', ['oa'])));
    await until('the route is gone', async () => (await statusOf('two')) === 404);
    assert.equal(await statusOf('one'), 200);
  });

  test('with one broken object leaves that one out, says why with its field, and the rest goes live', async () => {
    const broken = route('broken', 'three', ['oa'], { strategy: 'NoSuchStrategy' });
    gateway.configure(resources(route('one', 'one', ['oa']), route('two', 'two', ['oa']), broken));
    await until('the sound route answers', async () => (await statusOf('two')) === 200);
    assert.equal(await statusOf('three'), 404);
    await until('the broken object is reported', () => /broken/.test(gateway.logs()) && /strategy/.test(gateway.logs()));
  });

  test('that is no YAML is reported, and the last good configuration stays', async () => {
    const before = gateway.logs().length;
    gateway.configure('kind: LLMRoute\n  bad: [indentation\n');
    await until('the broken file is reported', () => /tollgate\.yaml/.test(gateway.logs().slice(before)));
    assert.equal(await statusOf('one'), 200);
    assert.equal(await statusOf('two'), 200);
  });

  test('that mends it is live again', async () => {
    gateway.configure(resources(route('three', 'three', ['oa'])));
    await until('the mended route answers', async () => (await statusOf('three')) === 200);
    assert.equal(await statusOf('one'), 404);
  });

  test('does not break requests that are under way', async () => {
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    upstream.answer(async (response, asked) => {
      await held;
      await json(200, openaiReply('Late'))(response, asked);
    });
    const seen = upstream.asked.length;
    const pending = post(gateway.url + chatPath, chat('three'));
    await until('the upstream was asked', () => upstream.asked.length > seen);
    gateway.configure(resources(route('one', 'one', ['oa'])));
    await until(
      'the model is gone for others',
      async () => !(await get(`${gateway.url}/v1/models`)).text.includes('"id":"three"'),
    );
    release();
    const answered = await pending;
    assert.equal(answered.json().choices[0].message.content, 'Late');
  });
});

describe('the folder itself', () => {
  const one = () => resources(route('one', 'one', ['oa']));
  const file = (name: string) => path.join(gateway.configFolder, name);
  before(async () => {
    upstream.answer(json(200, openaiReply('Hi')));
    gateway.configure(one());
    await until('the configuration answers', async () => (await statusOf('one')) === 200);
  });

  test('may hold links to themselves, to nothing and to folders: they are reported or passed over, and requests are served', async () => {
    symlinkSync('self.yaml', file('self.yaml'));
    symlinkSync('nowhere', file('nowhere.yaml'));
    symlinkSync('.', file('folder.yaml'));
    symlinkSync('.', file('again.yaml'));
    await until('both are reported', () => /self\.yaml/.test(gateway.logs()) && /nowhere\.yaml/.test(gateway.logs()));
    assert.equal(await statusOf('one'), 200);
    for (const name of ['self.yaml', 'nowhere.yaml', 'folder.yaml', 'again.yaml']) rmSync(file(name));
    const { lastError } = (await get(`${gateway.internalUrl}/configz`)).json();
    await until('all is well again', async () => (await get(`${gateway.internalUrl}/configz`)).json().lastError == null);
    assert.match(lastError, /self|nowhere/);
  });

  test('may have folders in it, whose edits are live in under a second, too', async () => {
    mkdirSync(file('more'));
    writeFileSync(file('more/two.yaml'), yamlOf(route('two', 'two', ['oa'])));
    await until('the new file is live', async () => (await statusOf('two')) === 200, 1000);
    rmSync(file('more/two.yaml'));
    await until('it is gone', async () => (await statusOf('two')) === 404, 1000);
  });

  test('may go away: what was in force stays; made anew, it is read and watched', async () => {
    const before = gateway.logs().length;
    rmSync(gateway.configFolder, { recursive: true });
    await until('that is reported', () => /cannot be found/.test(gateway.logs().slice(before)));
    assert.equal(await statusOf('one'), 200);
    gateway.configure(resources(route('one', 'one', ['oa']), route('two', 'two', ['oa'])));
    await until('the new folder is read', async () => (await statusOf('two')) === 200);
    gateway.configure(one());
    await until('its edits are live at once', async () => (await statusOf('two')) === 404, 1000);
  });

  test('with a change that cannot be taken up for other reasons is reported, and tried again', async () => {
    const before = gateway.logs().length;
    mkdirSync(gateway.dataFolder, { recursive: true });
    writeFileSync(path.join(gateway.dataFolder, 'keys'), 'a file where the folder of keys should be');
    const generated = { tenant: 'acme', secretRef: undefined, generate: { secretName: 'made' } };
    gateway.configure(resources(route('two', 'two', ['oa']), ...tenantKey('made', 'x', generated)));
    await until('that is reported', () => /tried again/.test(gateway.logs().slice(before)));
    assert.equal(await statusOf('one'), 200);
    rmSync(path.join(gateway.dataFolder, 'keys'));
    await until('it is taken up', async () => (await statusOf('two')) === 200);
  });
});
