// A request as the cache reads it: how far the cache may serve it, what must be equal, and how similar another question has to be.
import { keyOf, lastUserTurn, partitionOf } from '#core/cache/partition.ts';
import { type CacheUse, cacheUse } from '#core/cache/use.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import { isRecord } from '#core/json/record.ts';
import { answerersOf } from '#core/plan/backends.ts';
import type { AnswerCache } from '#core/snapshot/snapshot.ts';
import { type EpochMillis, type Millis, millis } from '#core/units.ts';
import type { Call } from '../call.ts';
import type { ChatExchange } from '../exchange.ts';
import { wireFor } from '../providers/index.ts';

export type Question = Exclude<CacheUse, { kind: 'bypass' }> & {
  readonly cache: AnswerCache;
  readonly route: string;
  readonly tenant: string;
  /** As it was asked for. */
  readonly model: string;
  readonly tags: readonly string[];
  readonly partition: string;
  readonly key: string;
  /** From which another question counts as the same: the route's, or the request's own where that is stricter. */
  readonly similarity: number;
  readonly ttl: Millis;
  /** An older answer is none for it. */
  readonly maxAge: Millis;
  readonly askedAt: EpochMillis;
};

export type QuestionParts = {
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly now: () => number;
};

/** What vectors and guards the entries of a route belong to. */
export type Kind = { readonly embedder: string; readonly guards: string };

/** @returns why the request has nothing to do with the cache, in a word */
export function questionOf(
  exchange: ChatExchange,
  call: Call,
  cache: AnswerCache,
  kind: Kind,
  { digest, now }: QuestionParts,
): Question | string {
  // An answer that goes on with what a provider keeps depends on that, and one that is to be kept there has to come from there.
  if (call.envelope.names || call.envelope.keeps) return 'stored-state';
  const decoded = exchange.frontend.decode(call.body);
  if (!decoded.ok) return 'unreadable';
  const request = decoded.value;
  const wishes = call.envelope.controls.cache ?? {};
  if (Object.keys(request.extra).some(isForeign)) return 'foreign-content';
  const use = cacheUse(request, cache, wishes, takesTemperature(exchange, call));
  if (use.kind === 'bypass') return use.reason;
  const { entry } = call.key;
  const route = call.plan.route!;
  const partition = partitionOf(
    {
      request,
      body: call.body.whole(),
      operation: exchange.frontend.operation,
      tenant: entry.tenant,
      ...(cache.scope === 'Key' && { key: entry.id }),
      route: route.id,
      answerers: answerersOf(call.config.snapshot, route, call.envelope.model),
      ...(wishes.namespace !== undefined && { namespace: wishes.namespace }),
      ...(use.perUser && userOf(request, call)),
      ...betasOf(exchange),
      ...(call.envelope.controls.fallbacks && { fallbacks: call.envelope.controls.fallbacks }),
      metadata: metadataOf(call, cache.partitionBy),
      ...kind,
    },
    digest,
  );
  return {
    ...use,
    cache,
    route: route.id,
    tenant: entry.tenant,
    model: request.model,
    tags: tagNames(call.tags),
    partition,
    key: keyOf(lastUserTurn(request)!, digest),
    similarity: Math.max(cache.similarity, wishes.similarity ?? 0),
    ttl: millis(Math.min(cache.ttl, wishes.ttl ?? FOREVER, use.maxTtl ?? FOREVER)),
    maxAge: wishes.maxAge ?? FOREVER,
    askedAt: now() as EpochMillis,
  };
}

const FOREVER = millis(Number.MAX_SAFE_INTEGER);

/** Fields by which an answer gets content that only its own dialect knows: it cannot be kept. */
const foreign = /^(?:audio|modalities|web_search_options|mcp_servers|container|tools\[|input\[|prompt$|logprobs$|echo$)/;
const isForeign = (name: string): boolean => foreign.test(name);

function takesTemperature({ frontend }: ChatExchange, { plan: { candidates } }: Call): boolean {
  const { provider, model } = candidates[0]!;
  return wireFor(frontend.dialect, { provider, model }).takesTemperature?.(model) ?? true;
}

function userOf({ user }: ChatRequest, { envelope }: Call): { user?: string } {
  const named = user ?? envelope.controls.user;
  return named === undefined ? {} : { user: named };
}

function betasOf({ headers }: ChatExchange): { betas?: string } {
  const betas = headers['anthropic-beta'];
  return betas === undefined ? {} : { betas: String(betas) };
}

/** Of the body's metadata, or the tag of that name; also what is no text: 1 and 2 are two customers. */
function metadataOf({ body, tags }: Call, names: readonly string[]): (readonly [string, string | undefined])[] {
  const metadata = names.length > 0 ? body.get('metadata') : undefined;
  return names.map(name => {
    const from = isRecord(metadata) && Object.hasOwn(metadata, name) ? metadata : tags;
    const value = Object.hasOwn(from, name) ? from[name] : undefined;
    return [name, value === undefined ? undefined : JSON.stringify(value)] as const;
  });
}

/** As lists of tags have them, and `DELETE /cache` takes them. */
const tagNames = (tags: Readonly<Record<string, string>>): string[] =>
  Object.entries(tags).map(([name, value]) => (value === '' ? name : `${name}=${value}`));
