// Two hundred labelled tasks and the models that do them: the large one always well, the small one as its label says. An upstream of
// OpenAI's wire that plays both, and a judge.
import type { ServerResponse } from 'node:http';
import { type Asked, type Script, startUpstream, type Upstream } from './upstream.ts';

/** How the small model does a task. All but the first two are bad; `wrong` looks as good as `right`. */
export type Label = 'right' | 'unsure' | 'no-json' | 'other-schema' | 'empty' | 'refusal' | 'too-long' | 'wrong';

export type Task = {
  readonly id: number;
  readonly label: Label;
  readonly prompt: string;
  readonly answer: Readonly<Record<string, unknown>>;
};

/** What of a hundred tasks each label has: two in three are easy, as in published cascades (FrugalGPT, RouteLLM). */
const SHARES: Readonly<Record<Label, number>> = {
  right: 66,
  unsure: 6,
  'no-json': 7,
  'other-schema': 7,
  empty: 3,
  refusal: 4,
  'too-long': 3,
  wrong: 4,
};

const labels = Object.entries(SHARES).flatMap(([label, share]) => Array<Label>(share).fill(label as Label));

/** In an order that mixes the labels, the same each time. */
export const tasks: readonly Task[] = Array.from({ length: 200 }, (_, id) => {
  const [count, price] = [2 + (id % 9), 3 + (id % 17)];
  const name = ['lamp', 'chair', 'rope', 'kettle', 'map'][id % 5];
  const prompt = `Task ${id}: an order of ${count} pieces of '${name}' at ${price} EUR each. Reply with its JSON. ${'The terms of delivery are those of last year. '.repeat(6)}`;
  return { id, label: labels[(id * 37) % 100]!, prompt, answer: { item: name, count, total: count * price } };
});

export const orderSchema = {
  type: 'object',
  properties: { item: { type: 'string' }, count: { type: 'integer' }, total: { type: 'number' } },
  required: ['item', 'count', 'total'],
  additionalProperties: false,
};

export const SMALL = 'up-small';
export const LARGE = 'up-large';
export const JUDGE = 'up-judge';

type Said = { readonly text: string; readonly probability: number };

const saysBadly: Readonly<Record<Label, (answer: Task['answer']) => Said>> = {
  right: answer => ({ text: JSON.stringify(answer), probability: 0.97 }),
  unsure: answer => ({ text: JSON.stringify({ ...answer, total: 0 }), probability: 0.5 }),
  'no-json': answer => ({ text: `The order is ${JSON.stringify(answer).slice(0, -3)}`, probability: 0.95 }),
  'other-schema': ({ item, total }) => ({ text: JSON.stringify({ product: item, total: `${total} EUR` }), probability: 0.95 }),
  empty: () => ({ text: '  ', probability: 0.95 }),
  refusal: () => ({ text: "I'm sorry, but I can't help with orders.", probability: 0.95 }),
  'too-long': answer => ({ text: JSON.stringify(answer) + ' '.repeat(800), probability: 0.95 }),
  wrong: answer => ({ text: JSON.stringify({ ...answer, total: 1 }), probability: 0.97 }),
};

// biome-ignore lint/suspicious/noExplicitAny: a body of OpenAI's wire, as the gateway sent it
type Body = Record<string, any>;

/** The task of a question, by its number; of a judge's question as well. */
const taskIn = (body: Body): Task => tasks[Number(/Task (\d+):/.exec(JSON.stringify(body.messages))?.[1] ?? 0)]!;

function said(body: Body): Said {
  const task = taskIn(body);
  if (body.model === LARGE) return { text: JSON.stringify(task.answer), probability: 0.99 };
  if (body.model === SMALL) return saysBadly[task.label](task.answer);
  const isRight = body.messages.at(-1).content.includes(JSON.stringify(task.answer));
  return { text: isRight ? '9' : '2', probability: 0.9 };
}

const countTokens = (text: string): number => Math.max(1, Math.ceil(text.length / 4));

export const playModels: Script = (response, asked) => {
  const body: Body = JSON.parse(asked.body.toString());
  const { text, probability } = said(body);
  const logprobs = body.logprobs
    ? { content: [{ token: text, logprob: Math.log(probability), bytes: null, top_logprobs: [] }] }
    : null;
  const usage = { prompt_tokens: countTokens(JSON.stringify(body.messages)), completion_tokens: countTokens(text) };
  const head = { id: `chatcmpl-${body.model}`, created: 1, model: body.model, system_fingerprint: 'fp' };
  if (body.stream) return streamed(response, body, { head, text, logprobs, usage });
  const choice = { index: 0, message: { role: 'assistant', content: text, refusal: null }, logprobs, finish_reason: 'stop' };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice], usage }));
};

type Parts = { readonly head: object; readonly text: string; readonly logprobs: unknown; readonly usage: object };

function streamed(response: ServerResponse, body: Body, { head, text, logprobs, usage }: Parts): void {
  const chunk = (choices: readonly object[], more: object = {}) =>
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]);
  const middle = Math.floor(text.length / 2);
  chunk([{ index: 0, delta: { content: text.slice(0, middle) }, ...(logprobs !== null && { logprobs }), finish_reason: null }]);
  chunk([{ index: 0, delta: { content: text.slice(middle) }, finish_reason: null }]);
  chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]);
  if (body.stream_options?.include_usage) chunk([], { usage });
  response.end('data: [DONE]\n\n');
}

export const startModels = (): Promise<Upstream> => startUpstream(playModels);

export const modelsAsked = (asked: readonly Asked[]): readonly string[] =>
  asked.map(({ body }) => JSON.parse(body.toString()).model);
