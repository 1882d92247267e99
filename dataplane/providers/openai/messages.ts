// Anthropic's wire at a server that is not Anthropic's own: an engine, or what calls itself compatible. Read against vLLM 0.32.
import type { Connection } from '#core/snapshot/snapshot.ts';
import { anthropic } from '../anthropic/index.ts';
import type { Provider, Target } from '../provider.ts';
import { classify } from './errors.ts';

/** Takes every field: servers of this wire go by none of its versions. */
const VERSION = '2023-06-01';

/** @param baseOf without `/v1` */
export function messagesWire<C extends Connection>(baseOf: (target: Target<C>) => string): Provider<C> {
  const { continuation: _prefill, authorize: _none, keeps: _nothing, automaticCaching: _unasked, ...wire } = anthropic;
  const asAnthropic = (target: Target<C>): Parameters<typeof anthropic.address>[0] => ({
    ...target,
    provider: { ...target.provider, connection: { type: 'Anthropic', baseURL: baseOf(target), version: VERSION } },
  });
  return {
    ...wire,
    // In the envelope of Anthropic stand the words of the server.
    classify,
    address: (target, options) => anthropic.address(asAnthropic(target), options),
    encode: (request, target) => anthropic.encode(request, asAnthropic(target)),
  };
}
