// The tier and the latency that a Converse request asks for, and those that an answer was served with.
import { askedIn, type Service, type ServiceAsked, serviceTold } from '#core/chat/service.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { RequestFields } from '../provider.ts';
import { recordOf } from '../wire.ts';

export function serviceAsked(body: RequestFields): ServiceAsked | undefined {
  if (!body.has('serviceTier') && !body.has('performanceConfig')) return undefined;
  return askedIn([
    ['tier', 'serviceTier.type', recordOf(body.get('serviceTier')).type],
    ['latency', 'performanceConfig.latency', recordOf(body.get('performanceConfig')).latency],
  ]);
}

/** Of a whole answer, or of the metadata that end a stream. */
export const serviceIn = ({ serviceTier, performanceConfig }: JsonRecord): { readonly service?: Service } =>
  serviceTold({ tier: recordOf(serviceTier).type, latency: recordOf(performanceConfig).latency });
