// A transformer of one's own. The model is not part of the project: without it, or without a runtime, the tests skip and say so.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { cosine } from './embedder.ts';
import { onnxEmbedder, onnxRuntime } from './onnx.ts';

const folder = path.join(import.meta.dirname, '../../../../shared/models/all-MiniLM-L6-v2-int8');
const missing = !onnxRuntime() ? 'no onnxruntime is installed' : !existsSync(folder) ? 'there is no ../shared/models' : false;

describe("an embedder of one's own", () => {
  test('makes vectors of length 1, nearer for a rephrasing than for another question', { skip: missing }, async () => {
    const embedder = await onnxEmbedder(folder);
    const [asked, again, other] = await embedder.embed([
      'How do I reset my password?',
      'I forgot my password, how do I get a new one?',
      'Which cheese melts best?',
    ]);
    assert.equal(embedder.dimensions, 384);
    assert.equal(asked!.length, 384);
    assert.ok(Math.abs(cosine(asked!, asked!) - 1) < 1e-4);
    assert.ok(cosine(asked!, again!) > 0.6);
    assert.ok(cosine(asked!, other!) < 0.4);
    await embedder.close();
    await assert.rejects(embedder.embed(['x']), /closed/);
  });

  test('is refused with a reason where its folder has no model', async () => {
    await assert.rejects(onnxEmbedder('/nowhere'), /no model\.onnx in '\/nowhere'/);
  });
});
