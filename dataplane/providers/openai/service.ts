// The tier that a chat completions or a Responses body asks for, and the one that an answer was served in.
import { askedIn, levelOf, type Service, type ServiceAsked, serviceTold } from '#core/chat/service.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { RequestFields } from '../provider.ts';

export const serviceAsked = (body: RequestFields): ServiceAsked | undefined =>
  body.has('service_tier') ? askedIn([['tier', 'service_tier', tierOf(body.get('service_tier'))]]) : undefined;

/** Of an answer, or of a chunk of one. */
export const serviceIn = ({ service_tier: told }: JsonRecord): { readonly service?: Service } =>
  told === 'default' ? byDefault : serviceTold({ tier: tierOf(told) });

/** What nearly every answer says. */
const byDefault = { service: { tier: 'default' } } as const;

/** Two names of one tier (OpenAI's page "Fast mode"); answers say the latter. */
function tierOf(value: unknown): string | undefined {
  const level = levelOf(value);
  return level === 'fast' ? 'priority' : level;
}
