// What a wire has to bring: reading a request as strictly as the provider does, and wording answers and troubles as the provider does.
import type { Answer, Ask } from '../answer.ts';
import type { SignedRequest } from '../aws-signature.ts';
import type { Json } from '../shape.ts';

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** An answer that is no generation: an error, a redirect, a page of HTML. */
export type Refusal = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: unknown };

export type Read = { readonly ok: true; readonly ask: Ask } | { readonly ok: false; readonly refusal: Refusal };

/** One SSE message before it becomes bytes. `tokens` were generated for it: what the bill counts once it is written. */
export type Frame = {
  /** `bare` opens or closes something and holds no content. */
  readonly kind: 'bare' | 'content' | 'finish' | 'usage' | 'end';
  readonly event?: string;
  readonly data: string;
  readonly tokens: number;
};

export type Reply = {
  readonly ask: Ask;
  readonly answers: readonly Answer[];
  /** Seconds since the epoch: the only part of an answer that differs between two equal requests. */
  readonly created: number;
  readonly tokensPerFrame: number;
  readonly usage: 'right' | 'missing' | 'doubled';
  readonly oldReasoningField: boolean;
};

/** Everything that goes wrong at providers and has a body of its own. */
export type Trouble =
  | 'bad-request'
  | 'authentication'
  | 'billing'
  | 'permission'
  | 'not-found'
  | 'timeout'
  | 'conflict'
  | 'too-large'
  | 'unprocessable'
  | 'rate-limit'
  | 'quota'
  | 'server-error'
  | 'bad-gateway'
  | 'unavailable'
  | 'gateway-timeout'
  | 'overloaded'
  | 'context-length'
  | 'content-filter';

/** An answer that is kept, and what it answered. */
export type KeptResponse = {
  readonly id: string;
  readonly response: Json;
  readonly input: readonly Json[];
  readonly inBackground: boolean;
};

/** What was kept before. */
export type Kept = { response(id: string): KeptResponse | undefined; item(id: string): Json | undefined };

export type Wire = {
  readonly name: 'openai' | 'azure' | 'anthropic' | 'vllm' | 'bedrock' | 'gemini';
  readonly credential: (headers: Headers) => string | undefined;
  readonly needsCredential: boolean;
  /** What is said when there is none. */
  readonly missingCredential: string;
  /** Where requests are signed: looks at all of one. `now`: milliseconds since the epoch. */
  readonly denied?: (request: SignedRequest, keys: readonly string[] | undefined, now: number) => Refusal | undefined;
  /** A filtered prompt is a 200 that declines, not an error. */
  readonly answersFiltered: boolean;
  readonly read: (body: unknown, headers: Headers, deployment?: string, kept?: Kept) => Read;
  readonly badJson: (text: string) => Refusal;
  /** `retryAfter`: as the header has it, for wires that say it in the body. */
  readonly trouble: (trouble: Trouble, model: string, retryAfter?: string) => Refusal;
  /** Says what is wrong with a header or a path in the provider's words. */
  readonly refuse: (status: number, message: string) => Refusal;
  readonly whole: (reply: Reply) => unknown;
  readonly frames: (reply: Reply) => Iterable<Frame>;
  /** What is kept of an answer, for later requests to name. Absent: nothing. */
  readonly keeps?: (reply: Reply) => KeptResponse | undefined;
  /** An error inside a stream that began with 200. */
  readonly errorFrame: (model: string) => Frame;
  /** A sign of life between frames, as SSE text. */
  readonly ping: string;
  /** Where a stream is none of SSE: its type, and a frame as its bytes. */
  readonly streamType?: string;
  readonly bytesOf?: (frame: Frame) => string | Buffer;
  readonly headers: (digest: string) => Readonly<Record<string, string>>;
  /** @param names what a server of one's own serves; a hosted provider has its own list */
  readonly models: (created: number, names: readonly string[]) => unknown;
};

export const header = (headers: Headers, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

export function bearer(headers: Headers): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header(headers, 'authorization') ?? '');
  return match?.[1];
}

/** Tokens in groups, as providers send several in a frame. */
export function* grouped(tokens: readonly string[], size: number): Iterable<{ text: string; from: number; tokens: number }> {
  for (let from = 0; from < tokens.length; from += size) {
    const group = tokens.slice(from, from + size);
    yield { text: group.join(''), from, tokens: group.length };
  }
}

/** The length of what base64 text stands for. */
export const decodedBytes = (base64: string): number => Buffer.byteLength(base64, 'base64');

/** What a proxy in front of the provider answers when the provider itself says nothing. */
export const gatewayPage = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n`;
