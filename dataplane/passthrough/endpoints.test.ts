import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { endpointOf, storedOf } from '../frontends/index.ts';
import { passedEndpoints, passedOf } from './endpoints.ts';
import { type MeterName, meters } from './meters.ts';

const CALL = /this\._client\.\w+\((?:\(0, path_1\.path\) )?[`']([^`'?]+)/g;
const pathsOfSdk = (folder: string): ReadonlySet<string> =>
  new Set(
    globSync('**/*.js', { cwd: folder }).flatMap(file =>
      [...readFileSync(path.join(folder, file), 'utf8').matchAll(CALL)].map(([, called]) =>
        called!.replaceAll(/\$\{\w+\}/g, 'x'),
      ),
    ),
  );
/** `/models` is a page of the gateway's own. */
const isUnserved = (below: string): boolean => {
  const at = `/v1${below}`;
  return !(endpointOf(at) || storedOf('GET', at, '') || passedOf('GET', at, '') || below.startsWith('/models'));
};

describe('the table of endpoints', () => {
  test('has a meter for every row, and a row for every meter', () => {
    const used = new Set<MeterName>(passedEndpoints.map(({ meter }) => meter));
    assert.deepEqual([...used].sort(), Object.keys(meters).sort());
  });

  test('has each method and path once, and none that another row hides', () => {
    const routes = passedEndpoints.map(({ method, path }) => `${method} ${path.replace(/\{\w*\}/g, '{}')}`);
    assert.deepEqual(routes, [...new Set(routes)]);
  });

  test('has no free meter where a model works, or something is made that is billed', () => {
    const free = passedEndpoints.filter(({ meter, method }) => meter === 'free' && method === 'POST');
    for (const { operation, path, model } of free) {
      assert.equal(model, 'none', path);
      assert.ok(!['Images', 'Audio', 'Realtime', 'Responses'].includes(operation), path);
    }
  });

  test('leads to its row, with what the path names', () => {
    const call = passedOf('GET', '/v1/vector_stores/vs_1/files/file-2', 'a=b');
    assert.ok(call && 'endpoint' in call);
    assert.deepEqual(
      [call.endpoint.path, call.path, call.query, call.named],
      [
        '/vector_stores/{vector_store}/files/{file}',
        '/vector_stores/vs_1/files/file-2',
        'a=b',
        [
          { kind: 'vector_store', id: 'vs_1' },
          { kind: 'file', id: 'file-2' },
        ],
      ],
    );
    assert.deepEqual(passedOf('PUT', '/v1/files', ''), { allowed: ['POST', 'GET'] });
  });

  test("of OpenAI's own SDK has all that the documentation does not name as left out", () => {
    const folder = path.join(import.meta.dirname, '..', '..');
    const [, section = ''] =
      /## What is not passed on\n(.*?)\n## /s.exec(readFileSync(path.join(folder, 'docs/passthrough.md'), 'utf8')) ?? [];
    const leftOut = [...section.matchAll(/`(\/[^`]+)`/g)].map(([, family]) => family!);
    const left = [...pathsOfSdk(path.join(folder, 'node_modules/openai/resources'))].filter(isUnserved);
    const familyOf = (one: string) => leftOut.find(family => one === family || one.startsWith(`${family}/`));
    assert.deepEqual(
      left.filter(one => !familyOf(one)),
      [],
    );
    assert.deepEqual(
      leftOut.filter(family => !left.some(one => familyOf(one) === family)),
      [],
    );
  });

  test('lets no path through that could mean another one to who reads it next', () => {
    for (const path of [
      '/v1/files/..',
      '/v1/files/a%2fb',
      '/v1/files/',
      '/v1//files',
      '/v1/files/a b',
      '/v1/files/a;b',
      '/v2/files',
      '/files',
    ])
      assert.equal(passedOf('GET', path, ''), undefined, path);
  });
});
