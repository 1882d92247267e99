// The faults of the simulator, seen by the OpenAI SDK over Responses, passed through and translated: an answer is whole, or it is an error.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

/** What still gives a whole answer, streamed and not; of all others none may look like one. */
const harmless = new Set(['byte-by-byte', 'crlf', 'comments', 'no-done', 'usage-missing', 'slow-first-token;ms=50']);
const faults = [
  ...harmless,
  ...[
    '500',
    '429-none',
    'html',
    'redirect',
    'empty-body',
    'reset',
    'content-type',
    'error-first',
    'error-event',
    'context-length',
  ],
  ...['cut;chunks=0', 'cut', 'cut-clean', 'cut-reset', 'stall', 'role-then-silence'],
];
const kinds = [
  ['native', 'OpenAI', 'gpt-5-mini'],
  ['translated', 'Anthropic', 'claude-sonnet-4-5'],
  ['engine', 'OpenAICompatible', 'llama-3.3-70b'],
] as const;
const nameOf = (kind: string, fault: string) => `${kind}-${fault.replaceAll(/[^a-z0-9-]/g, '-')}`;

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  const spec = { timeouts: { firstToken: '1s', streamIdle: '1s', request: '3s' }, ...patient };
  const all = kinds.flatMap(([kind, type, upstream]) =>
    ['', ...faults].flatMap(fault => {
      const name = nameOf(kind, fault || 'fine');
      const model = { name, upstreamName: fault ? `${upstream}!${fault}` : upstream };
      return [provider(name, type, simulator.origin, [model], spec), route(name, name, [name], { retries: { attempts: 0 } })];
    }),
  );
  gateway = await startGateway({ yaml: yamlOf(providerSecret, tenantKey(), all) });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const responses = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 }).responses;
const whole = async (model: string) => responses().create({ model, input: 'Say it.', store: false });
const streamed = async (model: string) => responses().stream({ model, input: 'Say it.', store: false }).finalResponse();

for (const [kind] of kinds)
  describe(`over Responses, ${kind}`, () => {
    for (const fault of faults)
      for (const [how, asked] of [
        ['whole', whole],
        ['streamed', streamed],
      ] as const)
        test(`${fault}, ${how}: ${harmless.has(fault) ? 'the answer' : 'an error, or all of the answer'}`, async () => {
          const fine = await asked(nameOf(kind, 'fine'));
          try {
            const answer = await asked(nameOf(kind, fault));
            assert.equal(answer.status, 'completed');
            assert.equal(answer.output_text, fine.output_text);
          } catch (error) {
            assert.ok(!harmless.has(fault), String(error));
            assert.ok(error instanceof OpenAI.OpenAIError, String(error));
          }
        });
  });
