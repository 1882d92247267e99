// What every request to an upstream has in common, whatever is asked for: what it is made of, what comes of it, its body and its headers.
import type { ServiceAsked } from '#core/chat/service.ts';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { HttpHeaders, HttpRequest } from '#platform/http-client.ts';
import type { AttemptInput, Flow, ReadReply } from './attempt.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import type { Address, OutputAsked, Provider, RequestFields, Target, Wire } from './providers/provider.ts';
import type { Relay } from './relay/relay.ts';
import type { Continuation } from './trip.ts';

export type Prepared = {
  readonly request: HttpRequest;
  readonly target: Target;
  readonly provider: Wire;
  /** How the answer of a conversation is read; absent: it is no conversation. */
  readonly chat: Provider | undefined;
  /** Present where the client asked for a stream. */
  readonly relay: Relay | undefined;
  readonly read: (body: Buffer, headers: HttpHeaders) => ReadReply;
  /** Of an answer that may go to the client as it comes, which begins it. */
  readonly flow?: () => Omit<Flow, 'begin'>;
  readonly bodyFailure?: AttemptInput['bodyFailure'];
  readonly dropped: readonly string[];
  /** What the body that goes upstream asks for at most. */
  readonly output: OutputAsked;
  /** What of it is run by the provider itself, and billed by the call. */
  readonly tools?: ToolsAsked | undefined;
  /** How it is to be served, where it asks for something else than the standard. */
  readonly service?: ServiceAsked | undefined;
};

export type Preparation = {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly candidate: Candidate;
  /** Where the provider has several. */
  readonly endpoint: string | undefined;
  readonly createdSeconds: number;
  readonly outputLimit?: number | undefined;
  readonly continuation?: Continuation | undefined;
};

export function targetOf(call: Call, { provider, model }: Candidate, endpoint: string | undefined): Target {
  const credential = provider.auth && call.config.credential(provider.auth.credential);
  return { provider, model, endpoint, credential };
}

/** What the provider's `parameters` ask for, in a body that passes through. */
export function addConfigured(edits: Map<string, string | null>, { provider: { parameters } }: Pick<Target, 'provider'>): void {
  for (const name of parameters.drop) edits.set(name, null);
  for (const [name, value] of Object.entries(parameters.set)) edits.set(name, JSON.stringify(value));
}

/** A body that was built anew, as the provider's `parameters` ask for it. */
export function configuredBody(body: Readonly<Record<string, unknown>>, { provider }: Target): Record<string, unknown> {
  const { drop, set } = provider.parameters;
  const configured: Record<string, unknown> = { ...body, ...set };
  for (const name of drop) if (!(name in set)) delete configured[name];
  return configured;
}

/** The fields of a body as they are after the edits. */
export const edited = (body: JsonView, edits: ReadonlyMap<string, string | null>): RequestFields => ({
  has: name => (edits.has(name) ? edits.get(name) !== null : body.has(name)),
  get: name => {
    const edit = edits.get(name);
    if (edit === undefined) return body.get(name);
    return edit === null ? undefined : JSON.parse(edit);
  },
  json: name => edits.get(name) ?? textOf(body, name),
  mentions: text => body.bytes.includes(text),
});

const textOf = ({ bytes, fields }: JsonView, name: string): string => {
  const { start, end } = fields.get(name)!;
  return bytes.toString('latin1', start, end);
};

export function post({ origin, path, headers }: Address, body: Buffer | string, { provider }: Target): HttpRequest {
  headers['content-type'] = 'application/json';
  // A compressed stream arrives in lumps, and its size says nothing about what it unfolds to.
  headers['accept-encoding'] = 'identity';
  return { method: 'POST', origin, path, headers, body, connectTimeoutMs: provider.timeouts.connect };
}

export const withQuery = (path: string, query: string): string =>
  query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`;

export function parseJson(bytes: Buffer): Parsed<unknown> {
  try {
    return ok(JSON.parse(bytes.toString()));
  } catch {
    return refuse(bytes.length === 0 ? 'upstream_empty_answer' : 'upstream_bad_response');
  }
}
