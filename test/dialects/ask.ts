// What a client wants, in no dialect: the clients of this folder write it in theirs, and read what comes back. Apart from the gateway's own
// codecs, so that a mistake there shows.
import type { Dialect } from '#core/chat/dialect.ts';

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly data: string }
  | { readonly kind: 'image-url'; readonly url: string }
  | { readonly kind: 'pdf'; readonly data: string; readonly citations?: true }
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'wav'; readonly data: string };

export type Call = { readonly id: string; readonly name: string; readonly arguments: unknown };
export type Result = { readonly call: Call; readonly output: string; readonly failed?: true };

export type Turn =
  | { readonly user: readonly Part[] }
  /** Of the assistant, as a client may write it. */
  | { readonly said: string }
  /** Of the assistant, as the client was given it (`Answer.turn`). */
  | { readonly answer: unknown }
  | { readonly results: readonly Result[] };

export type Ask = {
  readonly model: string;
  readonly turns: readonly Turn[];
  readonly stream?: true;
  readonly system?: string;
  /** The system prompt is marked to be cached. */
  readonly marked?: true;
  readonly tools?: readonly { readonly name: string; readonly parameters?: object }[];
  readonly choice?: 'none' | 'required' | { readonly tool: string };
  readonly parallel?: false;
  readonly format?: 'json' | { readonly schema: object };
  /** Each dialect has its own words for how much; some models of Bedrock have theirs. */
  readonly thinking?: 'enabled' | 'nova';
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly penalties?: number;
  readonly logprobs?: true;
  readonly n?: number;
  readonly user?: string;
  /** A search that the provider runs itself. */
  readonly search?: true;
  /** Several prompts in one request. */
  readonly prompts?: readonly string[];
};

/** What of an ask a dialect may have no words for. */
export type Word =
  | Exclude<keyof Ask, 'model' | 'turns' | 'stream'>
  | Exclude<Part['kind'], 'text'>
  | 'turns'
  | 'citations'
  | 'failed'
  | 'choice-none'
  | 'json-object'
  | 'count';

export function wordsOf({ model: _model, stream: _stream, turns, ...ask }: Ask): ReadonlySet<Word> {
  const words = new Set(Object.keys(ask) as Word[]);
  if (ask.choice === 'none') words.add('choice-none');
  if (ask.format === 'json') words.add('json-object');
  if (turns.length > 1) words.add('turns');
  for (const turn of turns) {
    if ('results' in turn && turn.results.some(({ failed }) => failed)) words.add('failed');
    for (const part of 'user' in turn ? turn.user : []) {
      if (part.kind !== 'text') words.add(part.kind);
      if (part.kind === 'pdf' && part.citations) words.add('citations');
    }
  }
  return words;
}

export type Finish = 'stop' | 'length' | 'calls' | 'filtered';

/** `words`: of the answer, which rest on it; undefined: it is not said which. */
export type Cited = { readonly source: string; readonly words: string | undefined };

export type Answer = {
  readonly text: string;
  readonly thinking: string;
  readonly refusal: string;
  readonly calls: readonly Call[];
  readonly finish: Finish | undefined;
  /** Tokens; `cached` are part of `input`. */
  readonly usage: { readonly input: number; readonly cached: number; readonly output: number } | undefined;
  readonly choices: number;
  readonly hasLogprobs: boolean;
  readonly citations: readonly Cited[];
  /** What the client puts into its next request. */
  readonly turn: unknown;
};

export type Told = { readonly code: string; readonly param?: string | undefined };

// biome-ignore lint/suspicious/noExplicitAny: JSON from a server, looked at field by field
export type Json = any;

export type Client = {
  readonly dialect: Dialect;
  readonly lacks: ReadonlySet<Word>;
  write(ask: Ask): { readonly path: string; readonly body: Json };
  /** Absent: nothing of the dialect counts tokens. */
  readonly count?: {
    write(ask: Ask): { readonly path: string; readonly body: Json };
    read(body: Json): number;
  };
  readWhole(body: Json): Answer;
  /** Throws at an error in the stream, and where it does not end as a good one. */
  readStream(bytes: Buffer): Answer;
  /** Throws where the body is not an error of the dialect. */
  readError(body: Json, status: number): Told;
};

export const textOf = (parts: readonly { readonly text?: string }[]): string => parts.map(({ text }) => text ?? '').join('');
