// What the simulated model says. A function of what was asked and nothing else: the same request is answered with the same words, calls
// and ids, another prompt or another model name with others. Wires turn an answer into their provider's JSON.
import { hash } from 'node:crypto';
import { type CitedDocument, type CitedTokens, citedTokens } from './citing.ts';
import { type JsonSchema, sampleOf } from './schema-sample.ts';
import { countTokens, type PromptUsage, tokensOf } from './tokens.ts';

export type Attachment = { readonly kind: 'image' | 'document' | 'audio'; readonly type: string; readonly bytes?: number };
export type OfferedTool = { readonly name: string; readonly schema: JsonSchema };
export type ToolResult = { readonly tool: string; readonly text: string };

/** A validated request, as far as the answer depends on it. */
export type Ask = {
  readonly model: string;
  readonly stream: boolean;
  /** The text of the last user message. */
  readonly prompt: string;
  readonly attachments: readonly Attachment[];
  /** Results of tools that came after the last answer of the model; then it speaks instead of calling again. */
  readonly results: readonly ToolResult[];
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: 'auto' | 'none' | 'required' | { readonly name: string };
  readonly parallel: boolean;
  readonly format: 'text' | 'json' | { readonly schema: JsonSchema };
  readonly thinks: boolean;
  readonly stop: readonly string[];
  readonly maxTokens?: number;
  readonly choices: number;
  /** What the model looks for in the web before it answers, by the provider's own tool. */
  readonly searches?: readonly string[];
  /** How it is served, where that is not by the standard: the provider bills that apart. */
  readonly level?: string;
  readonly usage: PromptUsage;
  /** The first document that is to be cited. */
  readonly document?: CitedDocument;
  /** Digest of the body: what ids are made of. */
  readonly digest: string;
};

export type Call = { readonly id: string; readonly name: string; readonly arguments: readonly string[] };

/** Texts are lists of tokens; joined they are the text. */
export type Answer = {
  readonly thinking: readonly string[];
  readonly text: readonly string[];
  readonly calls: readonly Call[];
  readonly finish: 'stop' | 'length' | 'calls' | 'filtered';
  readonly stopSequence?: string;
  /** The model declines, in words (OpenAI's `message.refusal`). */
  readonly refuses?: boolean;
  /** These of its words rest on something. */
  readonly cited?: CitedTokens;
};

export function answerTo(ask: Ask, choice = 0): Answer {
  const digest = digestOf(ask.model, ask.prompt, String(choice));
  const called = ask.results.length === 0 ? calledTools(ask) : [];
  const full: Answer = {
    thinking: ask.thinks ? tokensOf(thoughts(ask, digest)) : [],
    text: called.length > 0 ? [] : tokensOf(spoken(ask, digest)),
    calls: called.map((tool, index) => callOf(tool, ask, digestOf(digest, tool.name, String(index)))),
    finish: called.length > 0 ? 'calls' : 'stop',
  };
  const answer = cutToLength(stoppedAt(full, ask.stop), ask.maxTokens);
  const cited = citedTokens(ask, answer);
  return cited ? { ...answer, cited } : answer;
}

export const digestOf = (...parts: readonly string[]): string => hash('sha1', parts.join('\n'), 'hex');

/** Streamed or not, a request has the same ids. */
export const requestDigest = (body: Readonly<Record<string, unknown>>): string =>
  digestOf(JSON.stringify({ ...body, stream: undefined, stream_options: undefined }));

/** Tokens that were generated: thinking, text and the arguments of calls. */
export const generatedTokens = (answer: Answer): number =>
  answer.thinking.length +
  answer.text.length +
  answer.calls.reduce((total, call) => total + callOverhead(call) + call.arguments.length, 0);

/** A call costs its name besides its arguments. */
const callOverhead = (call: Call): number => countTokens(call.name);

function spoken(ask: Ask, digest: string): string {
  if (typeof ask.format === 'object') return JSON.stringify(sampleOf(ask.format.schema, digest));
  if (ask.format === 'json') return JSON.stringify({ answer: opening(ask, digest) });
  const length = askedLength(ask.prompt);
  if (length !== undefined) return padded(opening(ask, digest), length);
  return [opening(ask, digest), ...ask.attachments.map(seen), ...ask.results.map(reported), ...remarksFor(digest)].join(' ');
}

const opening = (ask: Ask, digest: string): string =>
  `This is ${ask.model}, simulated (${digest.slice(0, 8)}). You said: "${firstWords(ask.prompt, 12)}".`;

const seen = (attachment: Attachment): string =>
  `I see ${attachment.kind === 'image' ? 'an image' : attachment.kind === 'audio' ? 'audio' : 'a document'} of type ${attachment.type}${
    attachment.bytes === undefined ? '' : `, ${attachment.bytes} bytes`
  }.`;

const reported = (result: ToolResult): string => `The tool ${result.tool} returned: ${result.text.slice(0, 200)}`;

const remarks = [
  'There is more than one way to look at it.',
  'The short version is that it depends on what you measure.',
  'A careful reader would check the second step twice.',
  'Nothing here needs a network, a key or a GPU.',
  'The same question always gets the same answer.',
  'Small parts, put together well, go a long way.',
  'If in doubt, write the test first.',
  'It holds for every case that was tried.',
];

function remarksFor(digest: string): string[] {
  const first = Number.parseInt(digest.slice(0, 2), 16) % remarks.length;
  return [remarks[first]!, remarks[(first + 3) % remarks.length]!];
}

const thoughts = (ask: Ask, digest: string): string =>
  `The user wrote ${ask.prompt.length} characters, beginning with "${firstWords(ask.prompt, 4)}". I should answer briefly (${digest.slice(8, 12)}).`;

const firstWords = (prompt: string, count: number): string =>
  prompt.slice(0, 400).trim().split(/\s+/).slice(0, count).join(' ').slice(0, 120);

const maxAskedLength = 100_000;

/** `[[tokens=500]]` in a prompt asks for an answer of that many tokens: long streams without long prompts. */
function askedLength(prompt: string): number | undefined {
  const match = /\[\[tokens=(\d{1,6})\]\]/.exec(prompt);
  return match ? Math.min(Number(match[1]), maxAskedLength) : undefined;
}

/** `[[searches=3]]` in a prompt has the web searched so often, where the request offers that. */
export function askedSearches(prompt: string, isOffered: boolean, most = Number.POSITIVE_INFINITY): readonly string[] {
  const asked = isOffered ? Number(/\[\[searches=(\d{1,3})\]\]/.exec(prompt)?.[1] ?? 0) : 0;
  return Array.from({ length: Math.min(asked, most) }, (_, n) => `tolls of the year ${1800 + n}`);
}

/** Of what was asked for; `[[served=default]]` in a prompt has it served otherwise, as providers do that are out of room. */
export function servedLevel(prompt: string, asked: string | undefined): { readonly level?: string } {
  const level = asked && (/\[\[served=([a-z]{1,20})\]\]/.exec(prompt)?.[1] ?? asked);
  return level === undefined || ['auto', 'default', 'standard', 'standard_only', 'scale'].includes(level) ? {} : { level };
}

const padded = (text: string, tokens: number): string => text.padEnd(tokens * 4, ' and so on').slice(0, tokens * 4);

function calledTools(ask: Ask): OfferedTool[] {
  if (ask.toolChoice === 'none' || ask.tools.length === 0) return [];
  const choice = ask.toolChoice;
  if (typeof choice === 'object') return ask.tools.filter(tool => tool.name === choice.name);
  const named = ask.tools.filter(tool => ask.prompt.includes(tool.name));
  const called = named.length === 0 && choice === 'required' ? ask.tools.slice(0, 1) : named;
  return called.slice(0, ask.parallel ? 8 : 1);
}

const callOf = (tool: OfferedTool, ask: Ask, digest: string): Call => ({
  id: digestOf(ask.digest, digest).slice(0, 24),
  name: tool.name,
  arguments: tokensOf(JSON.stringify(sampleOf(tool.schema, digest) ?? {})),
});

function stoppedAt(answer: Answer, stop: readonly string[]): Answer {
  if (stop.length === 0) return answer;
  const text = answer.text.join('');
  const found = stop.map(sequence => ({ sequence, at: text.indexOf(sequence) })).filter(hit => hit.at >= 0);
  const first = found.toSorted((a, b) => a.at - b.at)[0];
  return first ? { ...answer, text: tokensOf(text.slice(0, first.at)), stopSequence: first.sequence } : answer;
}

function cutToLength(answer: Answer, maxTokens: number | undefined): Answer {
  if (maxTokens === undefined || generatedTokens(answer) <= maxTokens) return answer;
  const thinking = answer.thinking.slice(0, maxTokens);
  const text = answer.text.slice(0, maxTokens - thinking.length);
  const calls: Call[] = [];
  let left = maxTokens - thinking.length - text.length;
  for (const call of answer.calls) {
    if (left <= callOverhead(call)) break;
    calls.push({ ...call, arguments: call.arguments.slice(0, left - callOverhead(call)) });
    left -= callOverhead(call) + call.arguments.length;
  }
  return { thinking, text, calls, finish: 'length' };
}
