// What must be equal before two prompts are compared at all. A partition is the digest of everything in a request but its last user turn,
// and of who may read the answer; a key is the digest of that turn. Both are made of length-prefixed fields in a fixed order, so two
// requests that differ in anything the model sees have different texts to digest. All dialects share partitions, by way of the neutral
// request.
import type { Operation } from '../chat/dialect.ts';
import type { AssistantPart, ChatRequest, Message, TextPart, Tool, UserPart } from '../chat/request.ts';
import { residueOf } from './residue.ts';

export type PartitionFacts = {
  readonly request: ChatRequest;
  /** What it was read from. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly operation: Operation;
  readonly tenant: string;
  /** Digest of the key, where the route's `cache.scope` is Key: one made anew under an old name is another. Absent: all keys of the tenant share. */
  readonly key?: string;
  /** Id of the route. */
  readonly route: string;
  /** Providers and models that may answer: one that is no longer asked is not quoted either. */
  readonly answerers: readonly string[];
  /** The request's own `cache.namespace`. */
  readonly namespace?: string;
  /** Headers of the client that go to upstreams of its own dialect and change what a model does. */
  readonly betas?: string;
  /** Models that may stand in for the one that was asked for, by the request's own wish. */
  readonly fallbacks?: readonly string[];
  /** The client's own end user, where the answer may be about the one who asks (`CacheUse.perUser`). */
  readonly user?: string;
  /** Values of `cache.partitionBy`, in its order. */
  readonly metadata: readonly (readonly [name: string, value: string | undefined])[];
  /** Name and version. */
  readonly embedder: string;
  readonly guards: string;
};

/** To hex or whatever else names; takes well-formed text. */
export type Digest = (text: string) => string;

export const partitionOf = (facts: PartitionFacts, digest: Digest): string => digest(partitionText(facts));

/** The exact tier: white space around the turn says nothing, everything in it does. */
export function keyOf(turn: UserTurn, digest: Digest): string {
  const texts = turn.parts.map(part => part.text);
  texts[0] = texts[0]!.trimStart();
  texts.push(texts.pop()!.trimEnd());
  return digest(list(texts, text));
}

export type UserTurn = {
  /** Its place among the request's messages. */
  readonly at: number;
  readonly parts: readonly TextPart[];
};

/** undefined: there is none, or it is not of text alone. */
export function lastUserTurn({ messages }: ChatRequest): UserTurn | undefined {
  const at = messages.findLastIndex(message => message.role === 'user');
  const message = messages[at];
  if (message?.role !== 'user' || message.content.length === 0) return undefined;
  return message.content.every(isText) ? { at, parts: message.content } : undefined;
}

/** As guards and embedders read it. */
export const promptOf = ({ parts }: UserTurn): string =>
  parts
    .map(part => part.text)
    .join('\n')
    .trim();

const isText = (part: UserPart): part is TextPart => part.kind === 'text';

// ---------------------------------------------------------------- fields

/** Exported for its test: what is digested tells all that differs. */
export function partitionText(facts: PartitionFacts): string {
  const { request } = facts;
  return [
    text(facts.tenant),
    optional(facts.key, text),
    text(facts.route),
    list(facts.answerers, text),
    text(familyOf(facts.operation)),
    optional(facts.namespace, text),
    optional(facts.user, text),
    optional(facts.betas, text),
    optional(facts.fallbacks, models => list(models, text)),
    list(facts.metadata, ([name, value]) => text(name) + optional(value, text)),
    text(facts.embedder),
    text(facts.guards),
    requestText(request),
    residueText(facts),
  ].join('');
}

function requestText(request: ChatRequest): string {
  const turn = lastUserTurn(request)?.at;
  const extra = inOrder(request.extra).filter(([name]) => !silent.has(name));
  return [
    text(request.model),
    list(request.messages, (message, at) => (at === turn ? turnText(message) : messageText(message))),
    list(request.tools, toolText),
    json(request.toolChoice),
    json(request.parallelToolCalls),
    json(request.output),
    json(request.thinking),
    json(samplingOf(request)),
    json(request.maxOutputTokens),
    list(request.stop, text),
    json(request.logprobs),
    json(request.choices),
    // In the words of one dialect.
    extra.length === 0 ? '-' : text(request.dialect) + list(extra, ([name, value]) => text(name) + json(value)),
  ].join('');
}

/** In the words of one dialect, and so for that alone. */
function residueText({ request: { dialect, thinking }, body }: PartitionFacts): string {
  const left = [...residueOf(dialect, body)];
  // With a budget or without thinking, the neutral request has no place for it.
  if (thinking?.kind === 'budget' || thinking?.kind === 'disabled') left.push(['output_config', body.output_config]);
  const told = left.filter(([, value]) => value !== undefined);
  return told.length === 0 ? '-' : text(dialect) + list(told, ([path, value]) => text(path) + json(value));
}

/** Ways to ask the same. */
const familyOf = (operation: Operation): string => (conversations.has(operation) ? 'Chat' : operation);
const conversations: ReadonlySet<Operation> = new Set(['Chat', 'Messages', 'Responses', 'GenerateContent', 'Converse']);

/** The models never see these: where it runs, what it is billed to, who is to be blamed. */
const silent: ReadonlySet<string> = new Set([
  'metadata',
  'service_tier',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
]);

/** In a fixed order, whatever the client's. */
const samplingOf = ({ sampling: s }: ChatRequest) => [
  s.temperature,
  s.topP,
  s.topK,
  s.frequencyPenalty,
  s.presencePenalty,
  s.seed,
];

/** Its place, and what else than its text is in it. */
const turnText = (message: Message): string => `?${optional('name' in message ? message.name : undefined, text)}`;

function messageText(message: Message): string {
  const role = text(message.role);
  switch (message.role) {
    case 'system':
      return role + list(message.content, partText);
    case 'user':
    case 'assistant':
      return role + optional(message.name, text) + list<UserPart | AssistantPart>(message.content, partText);
    case 'tool':
      return role + text(message.callId) + json(message.isError) + list(message.content, partText);
  }
}

/** Marks for the provider's own cache say nothing to the model. */
function partText(part: UserPart | AssistantPart): string {
  switch (part.kind) {
    case 'text':
      return text(part.kind) + text(part.text) + (part.citations ? json(part.citations) : '');
    default: {
      const { cache: _mark, ...seen } = part as Extract<UserPart, { cache?: unknown }>;
      return json(inOrder(seen));
    }
  }
}

function toolText({ name, description, parameters, strict }: Tool): string {
  return text(name) + optional(description, text) + json(parameters) + json(strict);
}

const inOrder = (value: object): [string, unknown][] => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));

// ---------------------------------------------------------------- injective encoding

/** Lone surrogates have no UTF-8: a digest of it would take one for another. */
const text = (value: string): string =>
  value.isWellFormed() ? `${value.length}:${value}` : `!${JSON.stringify(value).length}:${JSON.stringify(value)}`;

/** The keys of the client's schemas stay in its order: a model reads them in that order. Absent is not null. */
const json = (value: unknown): string => optional(value, some => text(JSON.stringify(some, absentToo)));

/** JSON has no undefined in a list. */
const absentToo = (_: string, value: unknown): unknown => (value === undefined ? { $absent: true } : value);

const optional = <T>(value: T | undefined, write: (value: T) => string): string =>
  value === undefined ? '-' : `+${write(value)}`;

function list<T>(values: readonly T[], write: (value: T, at: number) => string): string {
  return `${values.length}[${values.map(write).join('')}`;
}
