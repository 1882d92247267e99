// One client request as the loop sees it: who asks, in which dialect, how to read its body and how to answer.
import type { IncomingHttpHeaders } from 'node:http';
import type { Parsed } from '#core/failure.ts';
import type { ChatEndpoint, UnaryEndpoint } from './frontends/index.ts';
import type { ClientResponse } from './http/client-response.ts';
import type { PassedRequest } from './passthrough/frontend.ts';

/** Who gets the answer, or who stands before it. */
export type Client = Pick<ClientResponse, keyof ClientResponse>;

type Arrived = {
  /** Our own UUIDv7. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly client: Client;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  /** Bounded in size and time; read once, and only for a caller that is known. */
  readBody(): Promise<Parsed<Buffer>>;
};

/** One that is about a conversation. */
export type ChatExchange = Arrived & ChatEndpoint;

export type UnaryExchange = Arrived & UnaryEndpoint;

/** One that is passed on as it is. */
export type PassedExchange = Arrived & PassedRequest;

export type Exchange = ChatExchange | UnaryExchange | PassedExchange;

export const isChat = (exchange: Exchange): exchange is ChatExchange => exchange.action !== 'unary' && exchange.action !== 'pass';
