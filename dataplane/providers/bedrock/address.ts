// Path and headers of a request to Bedrock.
import { type Address, type AddressOptions, splitBase } from '../provider.ts';
import { type BedrockTarget, tellingName } from './target.ts';

export type Operation = 'converse' | 'converse-stream' | 'invoke' | 'invoke-with-response-stream' | 'count-tokens';

export const EVENT_STREAM = 'application/vnd.amazon.eventstream';

/** How a wire is called, whole and as a stream. */
export const addressOf =
  (whole: Operation, streamed: Operation) =>
  (target: BedrockTarget, { stream, action }: AddressOptions): Address => {
    const operation = action === 'count-tokens' ? 'count-tokens' : stream ? streamed : whole;
    const { origin, prefix } = splitBase(baseOf(target));
    return {
      origin,
      path: `${prefix}/model/${modelSegment(target, operation)}/${operation}`,
      headers: headersOf(target, stream),
    };
  };

/** AWS in China has a domain of its own. */
function baseOf({ provider }: BedrockTarget): string {
  const { endpoint, region } = provider.connection;
  return endpoint ?? `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** An id or an ARN as one segment, encoded once: what is signed is the encoding of this (RFC 3986, where `!'()*` are reserved too). */
function modelSegment({ model }: BedrockTarget, operation: Operation): string {
  // CountTokens takes the model, not the inference profile that a request goes by.
  const id = operation === 'count-tokens' ? tellingName(model) : model.upstreamName;
  return encodeURIComponent(id).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function headersOf({ provider, credential }: BedrockTarget, stream: boolean): Record<string, string> {
  const accept = { accept: stream ? EVENT_STREAM : 'application/json' };
  if (credential === undefined) return accept;
  const { name, prefix } = provider.auth?.header ?? { name: 'authorization', prefix: 'Bearer ' };
  return { ...accept, [name.toLowerCase()]: prefix + credential };
}
