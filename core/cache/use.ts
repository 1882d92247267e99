// How far the cache may serve a request: not at all, its own words only, or words that mean the same. Pure; each limit has a name, so that a
// decision can be explained and counted.
import type { ChatRequest, Message } from '../chat/request.ts';
import { type Millis, millis } from '../units.ts';
import { lastUserTurn, promptOf } from './partition.ts';

/** Why a request is neither looked up nor stored. */
export type BypassReason =
  | 'disabled'
  | 'no-user-text'
  | 'image'
  | 'audio'
  | 'file'
  | 'tool-results'
  | 'sampling'
  | 'several-answers'
  | 'logprobs'
  | 'seed'
  | 'no-cache-no-store';
/** Why it is looked up by its exact words only. */
export type ExactReason = 'mode' | 'several-turns' | 'prefill' | 'tools' | 'long-prompt' | 'personal';

export type CacheUse =
  | { readonly kind: 'bypass'; readonly reason: BypassReason }
  | {
      readonly kind: 'exact' | 'semantic';
      /** Of `exact`. */
      readonly reason?: ExactReason;
      /** The prompt; what an embedder and the guards read. */
      readonly prompt: string;
      readonly mayRead: boolean;
      readonly mayStore: boolean;
      /** The answer may be about the one who asks: only the same `user` may read it. */
      readonly perUser: boolean;
      /** The answer ages sooner than the route says. */
      readonly maxTtl?: Millis;
    };

export type CacheRules = {
  readonly mode: 'Disabled' | 'Exact' | 'Semantic';
  readonly onlyDeterministic: boolean;
};

/** What the request itself asks of the cache: its `cache` object, its `cache-control`. */
export type CacheWishes = { readonly noCache?: boolean; readonly noStore?: boolean };

/** Beyond it a difference of one word is nothing to an embedder. */
const MAX_SEMANTIC_TOKENS = 512;
const TIMELY_TTL = millis(3_600_000);

/** @param takesTemperature false: the model has none, and answers as it does */
export function cacheUse(request: ChatRequest, rules: CacheRules, wishes: CacheWishes, takesTemperature: boolean): CacheUse {
  const reason = bypassReason(request, rules, wishes, takesTemperature);
  if (reason !== undefined) return { kind: 'bypass', reason };
  const turn = lastUserTurn(request);
  const prompt = turn && promptOf(turn);
  if (!prompt) return { kind: 'bypass', reason: 'no-user-text' };
  const exactly = exactReason(request, rules, prompt);
  return {
    kind: exactly === undefined ? 'semantic' : 'exact',
    ...(exactly !== undefined && { reason: exactly }),
    prompt,
    mayRead: wishes.noCache !== true,
    mayStore: wishes.noStore !== true,
    perUser: isPersonal(prompt),
    ...(isTimely(prompt) && { maxTtl: TIMELY_TTL }),
  };
}

function bypassReason(
  request: ChatRequest,
  rules: CacheRules,
  wishes: CacheWishes,
  takesTemperature: boolean,
): BypassReason | undefined {
  if (rules.mode === 'Disabled') return 'disabled';
  if (wishes.noCache && wishes.noStore) return 'no-cache-no-store';
  if ((request.choices ?? 1) > 1) return 'several-answers';
  if (request.logprobs) return 'logprobs';
  if (request.sampling.seed !== undefined) return 'seed';
  if (rules.onlyDeterministic && takesTemperature && request.sampling.temperature !== 0) return 'sampling';
  for (const message of request.messages) {
    const reason = foreignPart(message);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function foreignPart(message: Message): BypassReason | undefined {
  if (message.role === 'tool') return 'tool-results';
  if (message.role !== 'user') return undefined;
  for (const part of message.content) {
    if (part.kind === 'image' || part.kind === 'audio') return part.kind;
    if (part.kind === 'document') return 'file';
  }
  return undefined;
}

function exactReason(request: ChatRequest, rules: CacheRules, prompt: string): ExactReason | undefined {
  if (rules.mode === 'Exact') return 'mode';
  const { messages } = request;
  if (messages.filter(message => message.role === 'user').length > 1) return 'several-turns';
  if (messages.some(message => message.role === 'assistant'))
    return messages.at(-1)?.role === 'assistant' ? 'prefill' : 'several-turns';
  if (request.tools.length > 0 && request.toolChoice?.kind !== 'none') return 'tools';
  if (tokensAbout(prompt) > MAX_SEMANTIC_TOKENS) return 'long-prompt';
  if (isPersonal(prompt) && request.user === undefined) return 'personal';
  return undefined;
}

/** Four ASCII characters a token, one of all others: at most what tokenizers of today make of it. */
function tokensAbout(prompt: string): number {
  const others = prompt.replace(/[\0-\x7f]+/g, '').length;
  return Math.ceil((prompt.length - others) / 4) + others;
}

/** "Tell me" is about the capital of France, not about who asks. */
const REQUEST =
  /\b(?:tell|give|show|help|let|teach|walk|get|find|write|make|draw|send|read|explain(?: it| this)? to|for|inform|advise|guide|list|name|remind)\s+me\b/gi;
const PERSONAL = /\b(?:my|mine|myself|me|our|ours|ourselves)\b/i;

export const isPersonal = (prompt: string): boolean => PERSONAL.test(prompt) && PERSONAL.test(prompt.replace(REQUEST, ''));

const TIMELY =
  /\b(?:today|tonight|tomorrow|yesterday|now|nowadays|current(?:ly)?|latest|newest|recent(?:ly)?|right now|at the moment|so far|up[- ]to[- ]date|(?:this|last|next|past) (?:hour|morning|afternoon|evening|night|week|weekend|month|quarter|season|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday))\b/i;

export const isTimely = (prompt: string): boolean => TIMELY.test(prompt);
