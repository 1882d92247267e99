// Recorded embeddings of OpenAI, Cohere, Google and Bedrock, as their wires read them and clients of OpenAI's form get them. The recordings
// stand beside the project.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import type { EmbeddingRequest } from '#core/unary/embeddings.ts';
import { openAIEmbeddings } from '#dataplane/frontends/openai-embeddings/index.ts';
import { unaryWireFor } from '#dataplane/providers/index.ts';
import type { Target } from '#dataplane/providers/provider.ts';
import { replyContext } from '#test/support/decoding.ts';
import { valueIn } from '#test/support/parsed.ts';
import { exchangesIn, withoutRecordings as skip } from '#test/support/recordings.ts';

const exchanges = exchangesIn('pydantic-ai/test_embeddings/*.yaml').filter(
  ({ uri }) => /embed|invoke/i.test(new URL(uri).pathname) && !/count/i.test(uri),
);

/** Who was asked, as an address of a provider of ours would lead there. */
function targetOf({ host, pathname }: URL, body: Record<string, unknown>): Target {
  const [connection, model] = host.startsWith('bedrock')
    ? [{ type: 'Bedrock', region: 'us-east-1' } as const, decodeURIComponent(pathname.split('/')[2]!)]
    : host.startsWith('generativelanguage')
      ? [{ type: 'Gemini', baseURL: `https://${host}` } as const, /models\/([^:]+):/.exec(pathname)![1]!]
      : host === 'api.cohere.com'
        ? ([
            { type: 'OpenAICompatible', baseURL: `https://${host}/compatibility/v1`, vendor: 'Cohere' },
            String(body.model),
          ] as const)
        : [{ type: 'OpenAI', baseURL: `https://${host}/v1` } as const, String(body.model)];
  // A profile of one's own is named after its model by who configures it.
  const name = model.startsWith('arn:') ? 'amazon.titan-embed-text-v2:0' : model;
  return { provider: aProvider('p', { connection }), model: aModel(name, { upstreamName: model }), credential: 'k' };
}

/** What was asked for, whoever was asked. */
function requestOf(body: Record<string, unknown>): EmbeddingRequest {
  const { input, texts, inputText, requests, singleEmbeddingParams } = body as Record<string, never>;
  const single = inputText ?? (singleEmbeddingParams as { text?: { value: string } } | undefined)?.text?.value;
  const parts = (requests as { content: { parts: { text: string }[] } }[] | undefined)?.map(one => one.content.parts[0]!.text);
  const inputs = parts ?? texts ?? single ?? input;
  return { model: 'm', inputs: [inputs].flat() as string[], encoding: 'base64', extra: {} };
}

describe('recorded embeddings', { skip }, () => {
  test('are there', () => assert.ok(exchanges.length >= 15, `${exchanges.length}`));

  for (const { name, uri, asked = {}, status, json, ...exchange } of exchanges) {
    const target = targetOf(new URL(uri), asked);
    const wire = unaryWireFor('Embeddings', target);
    const headers = Object.fromEntries(Object.entries(exchange.headers).map(([header, [value]]) => [header, value]));

    if (status !== 200) {
      test(`${name}: an error is one that the caller hears of`, () => {
        const failure = wire!.classify({ status, headers, body: JSON.stringify(json), now: 0 as never });
        assert.match(failure.class, /^upstream_(?:model_not_found|invalid_request)$/);
      });
      continue;
    }

    test(`${name}: goes where it went, and is read as what it says`, async () => {
      const { origin, path: where } = wire!.address(target);
      assert.equal(`${origin}${where}`.toLowerCase(), uri.toLowerCase());
      const question = requestOf(asked);
      const reply = valueIn(wire!.translation!.decodeReply(json, question, headers));
      assert.equal(reply.vectors.length, question.inputs.length);
      const { body } = openAIEmbeddings.translation!.encodeReply(reply, question, replyContext);
      const client = new OpenAI({
        apiKey: 'k',
        fetch: async () => new Response(body, { headers: { 'content-type': 'application/json' } }),
      });
      const { data } = await client.embeddings.create({ model: 'm', input: 'x' });
      for (const [at, { embedding }] of data.entries())
        assert.deepEqual(embedding, Array.from(Float32Array.from(reply.vectors[at]!)));
    });
  }
});
