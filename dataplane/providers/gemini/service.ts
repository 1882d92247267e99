// The tier that a request to Google asks for, and the one that an answer was served in.
import { askedIn, type Service, type ServiceAsked, serviceTold } from '#core/chat/service.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { RequestFields } from '../provider.ts';
import { textOf } from '../wire.ts';

/** Google reads both spellings of a name. */
const FIELDS = ['serviceTier', 'service_tier'] as const;

export function serviceAsked(body: RequestFields): ServiceAsked | undefined {
  const named = FIELDS.filter(field => body.has(field));
  return named.length > 0 ? askedIn(named.map(field => ['tier', field, body.get(field)])) : undefined;
}

/** Of its `usageMetadata`. Vertex tells by `trafficType`: what was provisioned is paid for beforehand. */
export const serviceIn = ({ serviceTier, trafficType }: JsonRecord): { readonly service?: Service } =>
  serviceTold({ tier: serviceTier ?? TRAFFIC[textOf(trafficType)] });

const TRAFFIC: Readonly<Record<string, string>> = {
  ON_DEMAND: 'standard',
  ON_DEMAND_PRIORITY: 'priority',
  ON_DEMAND_FLEX: 'flex',
  ON_DEMAND_OFFPEAK: 'offpeak',
  PROVISIONED_THROUGHPUT: 'reserved',
};
