// Clients' dialects and providers' wires as the loop puts them together for a stream: the two that scripted streams are written in. All others,
// from outside, are in test/dialects/.
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import { passthroughRelay } from '#dataplane/relay/passthrough.ts';
import type { Relay } from '#dataplane/relay/relay.ts';
import { type Before, resumedRelay, translateRelay } from '#dataplane/relay/translate.ts';

export type Wire = 'openai' | 'anthropic';
type Reader = Pick<Provider, 'dialect' | 'streamDecoder' | 'notable'>;

const readers: Readonly<Record<Wire, Reader>> = { openai: openAIDialect, anthropic };
export const frontends: readonly Frontend[] = [openAIChat, anthropicMessages];

const context: ReplyContext = { requestId: '0190b5a8', createdSeconds: 1_790_000_000, includeUsage: true };

/** @param mayResume another stream may go on with this one */
export function relayBetween(frontend: Frontend, wire: Wire, { hideUsage = false, mayResume = false } = {}): Relay {
  const { dialect, streamDecoder, notable } = readers[wire];
  const decoder = streamDecoder();
  return dialect === frontend.dialect
    ? passthroughRelay({
        decoder,
        notable,
        hideUsage,
        terminator: frontend.terminator,
        filteredIsFailure: false,
        ...(mayResume && { resume: { decoder: () => streamDecoder(), encoder: () => frontend.streamEncoder(context) } }),
      })
    : translateRelay({
        decoder,
        encoder: frontend.streamEncoder({ ...context, includeUsage: !hideUsage }),
        filteredIsFailure: false,
        mayResume,
      });
}

/** Goes on with what an attempt left, at an upstream of this wire. */
export const relayAfter = (wire: Wire, before: Before): Relay => resumedRelay(readers[wire].streamDecoder(), before);
