// The validators against requests that the real providers accepted: strict must not mean stricter than they are.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { Json } from '../shape.ts';
import { anthropicInvalid } from './anthropic-validate.ts';
import { openaiInvalid } from './openai-validate.ts';
import type { Refusal } from './wire.ts';

const recordings = '../shared/recordings/pydantic-ai';

const validators: readonly (readonly [uri: RegExp, invalid: (body: unknown) => Refusal | undefined])[] = [
  [/api\.openai\.com\/v1\/chat\/completions/, openaiInvalid],
  [/anthropic\.com\/v1\/messages\/count_tokens/, body => anthropicInvalid(body, '2023-06-01', 'count_tokens')],
  [/anthropic\.com\/v1\/messages/, body => anthropicInvalid(body, '2023-06-01', 'messages')],
];

test('requests that the providers accepted are accepted', { skip: !existsSync(recordings) && `${recordings} is absent` }, () => {
  const refused: string[] = [];
  let accepted = 0;
  for (const file of globSync(`${recordings}/test_{openai,anthropic,thinking_wire_contract,tool_choice_matrix}/*.yaml`))
    for (const { request, response } of (parse(readFileSync(file, 'utf8')).interactions ?? []) as Json[]) {
      const invalid = validators.find(([uri]) => uri.test(request?.uri ?? ''))?.[1];
      // Signatures of thinking are the real provider's there, and foreign here.
      if (!invalid || !request.parsed_body || response.status.code !== 200 || JSON.stringify(request).includes('"signature"'))
        continue;
      const refusal = invalid(request.parsed_body) as { body: Json } | undefined;
      if (refusal) refused.push(`${file}: ${refusal.body.error.message}`);
      else accepted += 1;
    }
  assert.deepEqual(refused, []);
  assert.ok(accepted > 20, String(accepted));
});
