// The real OpenAI SDK over legacy completions: as they are where a provider has them, as a chat of one message where it does not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { clientKey } from '#test/support/resources.ts';
import { openStage, type Stage, targets } from '#test/support/stage.ts';

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(() => stage?.close());
const sdk = () => new OpenAI({ baseURL: `${stage.url}/v1`, apiKey: clientKey, maxRetries: 0 });

for (const target of targets) {
  const { model, name } = target;
  const isNative = name === 'openaicompatible' || name === 'vllm';

  test(`${name}: whole and streamed, with usage`, async () => {
    const ask = { model, prompt: 'Tell me of tolls.', max_tokens: 60 };
    const { choices, usage, object } = await sdk().completions.create(ask);
    assert.equal(object, 'text_completion');
    assert.match(choices[0]!.text, /Tell me of tolls\./);
    assert.ok(usage && usage.prompt_tokens > 0 && usage.completion_tokens > 0);
    let text = '';
    let told: OpenAI.CompletionUsage | undefined;
    for await (const chunk of await sdk().completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.text ?? '';
      told = chunk.usage ?? told;
    }
    assert.equal(text, choices[0]!.text);
    assert.equal(told?.completion_tokens, usage.completion_tokens);
  });

  test(`${name}: what only plain text has ${isNative ? 'passes through' : 'is left out, and named'}`, async () => {
    const { response } = await sdk()
      .completions.create({ model, prompt: 'Once', suffix: 'the end.', max_tokens: 20 })
      .withResponse();
    assert.equal(response.headers.get('x-tollgate-dropped')?.includes('suffix') ?? false, !isNative);
    const several = sdk().completions.create({ model, prompt: ['a', 'b'], max_tokens: 20 });
    if (isNative) assert.equal((await several).choices.length, 2);
    else
      await assert.rejects(
        several,
        (error: InstanceType<typeof OpenAI.APIError>) => error.status === 400 && error.param === 'prompt',
      );
  });
}
