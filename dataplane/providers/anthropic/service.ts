// How fast and where a request to Anthropic asks to be answered, and how it was.
import { askedIn, type Service, type ServiceAsked, serviceTold } from '#core/chat/service.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { RequestFields } from '../provider.ts';

const FIELDS = { speed: 'speed', region: 'inference_geo', tier: 'service_tier' } as const;
const ASPECTS = Object.entries(FIELDS) as [keyof typeof FIELDS, string][];

export function serviceAsked(body: RequestFields): ServiceAsked | undefined {
  const named = ASPECTS.filter(([, field]) => body.has(field));
  return named.length > 0 ? askedIn(named.map(([aspect, field]) => [aspect, field, body.get(field)])) : undefined;
}

/** Of its usage. The tier it tells there is left alone: Anthropic's `priority` was paid for beforehand (its page "Service tiers"). */
export const serviceIn = ({ speed, inference_geo: region }: JsonRecord): { readonly service?: Service } =>
  serviceTold({ speed, region });
