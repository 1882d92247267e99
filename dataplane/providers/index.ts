// The table of provider types: how each is spoken to.
import type { Dialect, UnaryOperation } from '#core/chat/dialect.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import type { Parsed } from '#core/failure.ts';
import type { Connection, ProviderType } from '#core/snapshot/snapshot.ts';
import { anthropic } from './anthropic/index.ts';
import { azurePassed, azureUnary, azureWires } from './azure-openai/index.ts';
import { bedrock } from './bedrock/index.ts';
import { gemini } from './gemini/index.ts';
import { openAIPassed, openAIUnary, openAIWires } from './openai/index.ts';
import { compatiblePassed, compatibleUnary, compatibleWires, openAICompatible } from './openai-compatible/index.ts';
import type { EncodedRequest, PassedWire, Provider, Target, UnaryWire, Wires } from './provider.ts';
import { vllmPassed, vllmUnary, vllmWires } from './vllm/index.ts';

type Adapters = { readonly [T in ProviderType]: Wires<Extract<Connection, { type: T }>> };

/** Of a provider that speaks the same wire for all of its models. */
const always = <C extends Connection>(...wires: readonly [Provider<C>, ...Provider<C>[]]): Wires<C> => ({ of: () => wires });

const adapters = {
  OpenAI: { of: openAIWires, unary: openAIUnary, passed: openAIPassed },
  Anthropic: always(anthropic),
  AzureOpenAI: { of: azureWires, unary: azureUnary, passed: azurePassed },
  OpenAICompatible: { of: compatibleWires, unary: compatibleUnary, passed: compatiblePassed },
  VLLM: { of: vllmWires, unary: vllmUnary, passed: vllmPassed },
  Gemini: gemini,
  Bedrock: bedrock,
} satisfies Adapters;

/** An adapter gets only targets of its own connection type: the table's key is that type. */
const wires: Readonly<Record<ProviderType, Wires>> = adapters;

/** How a target is spoken to for a client of this dialect: in the same one where the target speaks it, else in its own. */
export function wireFor(dialect: Dialect, target: Pick<Target, 'provider' | 'model'>): Provider {
  const spoken = wires[target.provider.connection.type].of(target);
  return spoken.find(wire => wire.dialect === dialect) ?? spoken[0];
}

/** One of its wires in which a target can go on with an answer; undefined: it has none. */
export function continuingWireFor(dialect: Dialect, target: Pick<Target, 'provider' | 'model'>): Provider | undefined {
  const able = wires[target.provider.connection.type].of(target).filter(wire => wire.continuation);
  return able.find(wire => wire.dialect === dialect) ?? able[0];
}

/** How a target is asked for what is no conversation; undefined: it has no such thing. */
export function unaryWireFor<O extends UnaryOperation>(
  operation: O,
  target: Pick<Target, 'provider' | 'model'>,
): UnaryWire<O> | undefined {
  return wires[target.provider.connection.type].unary?.[operation]?.(target) as UnaryWire<O> | undefined;
}

/** How a target is asked for what is passed on as it is; undefined: nothing is passed on to it. */
export const passedWireFor = (target: Pick<Target, 'provider' | 'model'>): PassedWire | undefined =>
  wires[target.provider.connection.type].passed?.(target);

/** A request in OpenAI's chat dialect, as this target takes it, or as it is translated from. */
export function asChat(request: ChatRequest, target: Pick<Target, 'provider' | 'model'>): Parsed<EncodedRequest> {
  const wire = wireFor('openai-chat', target);
  return (wire.dialect === 'openai-chat' ? wire : (openAICompatible as Provider)).encode(request, target);
}
