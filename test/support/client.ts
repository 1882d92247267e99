// A plain client of the gateway, for what the SDKs hide: status, headers and the exact text of an answer.
import { clientKey } from './resources.ts';

export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text parsed; throws where it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions reach deep into bodies whose shape is what they check
  readonly json: () => Record<string, any>;
};

export type PostOptions = {
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

/** `body` as an object, or as the exact text or bytes to send. */
export function post(url: string, body: unknown, { key = clientKey, headers = {}, signal }: PostOptions = {}): Promise<Answered> {
  const sent =
    typeof body === 'string' || body instanceof Uint8Array ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body);
  return ask(url, {
    method: 'POST',
    body: sent,
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }), ...headers },
    ...(signal && { signal }),
  });
}

export function get(url: string, { key = clientKey, headers = {} }: PostOptions = {}): Promise<Answered> {
  return ask(url, { headers: { ...(key && { authorization: `Bearer ${key}` }), ...headers } });
}

export async function ask(url: string, init: RequestInit): Promise<Answered> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

export const chatPath = '/v1/chat/completions';
export const messagesPath = '/v1/messages';

export const chat = (model: string, rest: Record<string, unknown> = {}): Record<string, unknown> => ({
  model,
  messages: [{ role: 'user', content: 'Say hello.' }],
  ...rest,
});

export const message = (model: string, rest: Record<string, unknown> = {}): Record<string, unknown> => ({
  model,
  max_tokens: 64,
  messages: [{ role: 'user', content: 'Say hello.' }],
  ...rest,
});
