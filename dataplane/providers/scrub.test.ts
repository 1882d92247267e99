// What a client must not read in an error, and what it may.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scrub } from './scrub.ts';

const secrets = [
  'sk-proj-abcDEF1234567890',
  'sk-ant-api03-xyz_12345',
  'gsk_1234567890abcdef',
  'xai-1234567890abcdef',
  'AIzaSyD-1234567890abcdef',
  'AKIAIOSFODNN7EXAMPLE',
  'org-AbC123dEf456',
  'proj_wlzE3wrTAwGKSsoZUKNhfDgz',
  '0123456789abcdef0123456789abcdef',
  'https://user:pass@internal.example.com/v1?key=abc',
  '10.1.2.3:8000',
  '[fd00::12:1]:8080',
  'vllm-0.vllm.llm.svc.cluster.local:8000',
  'vllm-0.llm.svc',
  'redis:6379',
  'localhost:11434',
  'gpu7.corp',
  'my-resource.openai.azure.com',
];
for (const secret of secrets) {
  for (const text of [`before ${secret} after`, `"${secret}"`, `(${secret}).`, `key=${secret},`, `at ${secret}.`]) {
    test(`${JSON.stringify(text)} loses its secret`, () => assert.ok(!scrub(text).includes(secret), scrub(text)));
  }
}

test('a key behind the words that announce one is lost whatever it looks like', () => {
  assert.equal(scrub('Incorrect API key provided: hunter22. Try again.'), 'Incorrect API key provided: [redacted] Try again.');
  assert.equal(scrub('got Bearer abcdefgh'), 'got Bearer [redacted]');
});

const harmless = [
  "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.",
  'messages[3].content[1].image_url.url must be a string at 12:30:05.',
  'The model `gpt-4.1-mini` does not exist; claude-3.5-sonnet and llama-3.3-70b-versatile do.',
  'max_tokens=99999 cannot be greater than max_model_len=1024. (parameter=max_tokens, value=99999)',
];
for (const text of harmless) test(`${JSON.stringify(text)} stays as it is`, () => assert.equal(scrub(text), text));

test('line ends and other control characters become spaces', () => assert.equal(scrub('a\r\nb\u0000c'), 'a b c'));

test('a long text is cut between words, so that no half of a key is left', () => {
  const cut = scrub(`${'a '.repeat(2044)}sk-proj-abcDEF1234567890`);
  assert.ok(cut.length <= 1001 && !cut.includes('sk-'));
});

test('no text takes long', () => {
  const began = performance.now();
  fc.assert(
    fc.property(
      fc.constantFrom('a', 'a.', ':', '-', 'a:', '1.', '@', '/', 'sk-', '.com', '[', 'a '),
      unit => scrub(unit.repeat(50_000)).length <= 1001,
    ),
  );
  assert.ok(performance.now() - began < 2000);
});
