import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemsNamedIn, kindOfField, REFERENCES_MAX, referencesIn } from './references.ts';

test('references are found wherever they stand, with the place', () => {
  const body = {
    input_file_id: 'file-1',
    tool_resources: { file_search: { vector_store_ids: ['vs_1'] } },
    files: [{ file_id: 'file-2' }, { attributes: { note: 'file-3' } }],
    container: { type: 'auto', file_ids: ['file-4'] },
    metadata: { container: 'cntr_1' },
  };
  assert.deepEqual(
    referencesIn(body).map(({ kind, id, param }) => `${kind} ${id} ${param}`),
    [
      'file file-1 input_file_id',
      'vector_store vs_1 tool_resources.file_search.vector_store_ids[0]',
      'file file-2 files[0].file_id',
      'file file-4 container.file_ids[0]',
      'container cntr_1 metadata.container',
    ],
  );
});

test('of too many there is one more than too many', () => {
  assert.equal(referencesIn({ file_ids: Array(5000).fill('file-1') }).length, REFERENCES_MAX + 1);
});

test('fields of a form are told by their last name', () => {
  for (const [name, kind] of [
    ['file_id', 'file'],
    ['images[0][file_id]', 'file'],
    ['images[][file_id]', 'file'],
    ['file_ids[]', 'file'],
    ['a.container_id', 'container'],
    ['file', undefined],
    ['constructor', undefined],
  ] as const)
    assert.equal(kindOfField(name), kind, name);
});

test('items that stand for ones that are kept are told from those that bring what they are', () => {
  const items = [
    { type: 'item_reference', id: 'msg_1' },
    { id: 'msg_2' },
    { type: null, id: 'msg_3' },
    { type: 'image_generation_call', id: 'ig_1' },
    { type: 'image_generation_call', id: 'ig_2', result: null },
    { type: 'image_generation_call', id: 'ig_3', result: 'aGk=' },
    { type: 'message', id: 'msg_4', role: 'user', content: 'hi' },
    'hi',
  ];
  assert.deepEqual(
    itemsNamedIn(items, 'input').map(({ id, param }) => `${id} ${param}`),
    ['msg_1 input[0].id', 'msg_2 input[1].id', 'msg_3 input[2].id', 'ig_1 input[3].id', 'ig_2 input[4].id'],
  );
});
