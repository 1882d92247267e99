// Every pair of a client's dialect and a provider's wire, as the loop puts them together for a stream.
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import { passthroughRelay } from '#dataplane/relay/passthrough.ts';
import type { Relay } from '#dataplane/relay/relay.ts';
import { translateRelay } from '#dataplane/relay/translate.ts';

export type Wire = 'openai' | 'anthropic';
type Reader = Pick<Provider, 'dialect' | 'streamDecoder' | 'notable'>;

const readers: Readonly<Record<Wire, Reader>> = { openai: openAIDialect, anthropic };
export const frontends: readonly Frontend[] = [openAIChat, anthropicMessages];

const context: ReplyContext = { requestId: '0190b5a8', createdSeconds: 1_790_000_000, includeUsage: true };

export function relayBetween(frontend: Frontend, wire: Wire, { hideUsage = false } = {}): Relay {
  const { dialect, streamDecoder, notable } = readers[wire];
  const decoder = streamDecoder();
  return dialect === frontend.dialect
    ? passthroughRelay({ decoder, notable, hideUsage, filteredIsFailure: false })
    : translateRelay({
        decoder,
        encoder: frontend.streamEncoder({ ...context, includeUsage: !hideUsage }),
        filteredIsFailure: false,
      });
}
