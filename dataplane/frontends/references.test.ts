import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { scanObject } from '#core/json/scan.ts';
import { anthropicMessages } from './anthropic-messages/index.ts';
import type { Envelope, Frontend } from './frontend.ts';
import { gemini } from './gemini/index.ts';
import { openAIChat } from './openai-chat/index.ts';
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

/** @param text of a body */
function inspected({ inspect }: Pick<Frontend, 'inspect'>, text: string): Envelope {
  const view = scanObject(Buffer.from(text), { maxDepth: 128, interpreted: new Set(), isUtf8 });
  assert.ok(view.ok);
  const envelope = inspect(view.value);
  assert.ok(envelope.ok, JSON.stringify(envelope));
  return envelope.value;
}

const google = gemini({ model: 'm', stream: false });
const GOOGLES = 'https://generativelanguage.googleapis.com/v1beta/files/abc';
const fileAt = (uri: string) => ({ contents: [{ parts: [{ file_data: { fileUri: uri } }] }] });
const said = { role: 'assistant', audio: { id: 'audio_1' } };
const claude = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };
const document = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
for (const [sentence, frontend, body, names] of [
  ['an answer said aloud', openAIChat, { model: 'm', messages: [said] }, ['audio audio_1 messages[0].audio.id']],
  ['sound that a body brings', openAIChat, { model: 'm', messages: [{ content: [{ type: 'input_audio' }] }], audio: {} }, []],
  ['a container of Claude', anthropicMessages, { ...claude, container: 'c_1' }, ['container c_1 container']],
  ['one with skills', anthropicMessages, { ...claude, container: { id: 'c_1' } }, ['container c_1 container.id']],
  [
    'a file of Claude',
    anthropicMessages,
    { ...claude, messages: [{ role: 'user', content: [document] }] },
    ['file file_1 messages[0].content[0].source.file_id'],
  ],
  [
    'a cache of Gemini',
    google,
    { contents: [{ parts: [] }], cached_content: 'cachedContents/x' },
    ['cached_content cachedContents/x cached_content'],
  ],
  ['a file of Gemini', google, fileAt(GOOGLES), [`file ${GOOGLES} contents[0].parts[0].file_data.fileUri`]],
  ['a file by its name', google, fileAt('files/abc'), ['file files/abc contents[0].parts[0].file_data.fileUri']],
  ['what everybody may see', google, fileAt('https://www.youtube.com/watch?v=files/'), []],
] as const)
  test(`${sentence}: named as what is kept where it is, however its letters are written`, () => {
    const text = JSON.stringify(body);
    const hidden = text
      .replaceAll('audio', '\\u0061udio')
      .replaceAll('"container"', '"\\u0063ontainer"')
      .replaceAll('"f', '"\\u0066')
      .replaceAll('"cached', '"\\u0063ached');
    for (const written of [text, hidden])
      assert.deepEqual(
        (inspected(frontend, written).names ?? []).map(({ kind, id, param }) => `${kind} ${id} ${param}`),
        names,
        written,
      );
  });

test('what answers will tell of is noted where they may tell of it', () => {
  const plain = { model: 'm', messages: [{ role: 'user', content: 'audio, container, code_execution, file_id' }] };
  assert.equal(inspected(openAIChat, JSON.stringify(plain)).keeps, undefined);
  assert.equal(inspected(openAIChat, JSON.stringify({ ...plain, audio: { voice: 'alloy' } })).keeps, true);
  assert.equal(inspected(anthropicMessages, JSON.stringify({ ...claude, ...plain })).keeps, undefined);
  const tools = [{ type: 'code_execution_20250825', name: 'code_execution' }];
  assert.equal(inspected(anthropicMessages, JSON.stringify({ ...claude, tools })).keeps, true);
});
