// Which version of the API a request is sent with, and whether it may carry sampling parameters.
import type { ChatRequest } from '#core/chat/request.ts';
import { isRecord } from '#core/json/record.ts';
import type { ClientHeaders } from '../provider.ts';
import { abilitiesOf } from './models.ts';
import type { AnthropicTarget } from './target.ts';
import { planThinking } from './thinking.ts';

/** Takes every field, the ones that NEWEST removed included. */
const OLDEST = '2023-06-01';
/** Removed temperature, top_p and top_k: 400 even at their default values. */
const NEWEST = '2026-10-21';

/** For a body that passes through: what the client said; a client that says nothing may send anything. */
export function versionForClient(target: AnthropicTarget, client: ClientHeaders): string {
  const asked = client['anthropic-version'];
  if (typeof asked === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(asked)) return asked;
  return target.provider.connection.version ?? OLDEST;
}

/** For a body of our own making: the newest that can carry it, unless the provider's resource names one. */
export function versionForRequest(target: AnthropicTarget, request: ChatRequest): string {
  const { version } = target.provider.connection;
  return version ?? (sendsSampling(request, target) ? OLDEST : NEWEST);
}

function sendsSampling(request: ChatRequest, target: AnthropicTarget): boolean {
  const { dialect, body, sampling } = request;
  if (dialect === 'anthropic-messages' && body) {
    return ['temperature', 'top_p', 'top_k'].some(name => Object.hasOwn(body, name));
  }
  const asked = sampling.temperature ?? sampling.topP ?? sampling.topK;
  return asked !== undefined && takesSampling(request, target);
}

/** With thinking, only a temperature of 1 is allowed, which is the default. */
export function takesSampling(request: ChatRequest, target: AnthropicTarget): boolean {
  const { version } = target.provider.connection;
  const versionTakesIt = version === undefined || version < NEWEST;
  return versionTakesIt && abilitiesOf(target.model.upstreamName).sampling && !isOn(planThinking(request, target).thinking);
}

const isOn = (thinking: unknown): boolean => isRecord(thinking) && thinking.type !== 'disabled';
