import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatRequest, Source, UserPart } from '../chat/request.ts';
import { attachmentsOf } from './attachments.ts';

const base64 = (length: number): Source => ({ kind: 'base64', mediaType: 'x/y', data: 'A'.repeat(length) });
const elsewhere: Source = { kind: 'url', url: 'https://example.test/x' };
const prompt = (...content: UserPart[]) => ({
  messages: [
    { role: 'user', content },
    { role: 'tool', callId: 'c', content },
  ] as const,
});

test('images are counted wherever they are, documents only where their size is not known, text not at all', () => {
  const request = prompt(
    { kind: 'text', text: 'hello' },
    { kind: 'image', source: base64(8) },
    { kind: 'image', source: elsewhere },
    { kind: 'document', source: base64(16) },
    { kind: 'document', source: { kind: 'file', id: 'f' } },
    { kind: 'document', source: { kind: 'text', text: 'plain' } },
  );
  assert.deepEqual(attachmentsOf(request as unknown as ChatRequest), {
    images: 4,
    imageBytes: 16,
    documents: 2,
    documentBytes: 32,
  });
});
