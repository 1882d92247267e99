// An estimate of a prompt's tokens, for `/v1/messages/count_tokens` where the target cannot count itself. The constants are
// Anthropic's own figures where it gives any.
import type { AssistantPart, ChatRequest, Message, Source, Tool, UserPart } from '#core/chat/request.ts';
import { type Tokens, tokens } from '#core/units.ts';

/** Role, separators and end mark of a turn. */
const PER_MESSAGE = 4;
/** The system prompt that tools bring with them (platform.claude.com, "Tool use", pricing: 346 for Claude 4 with `auto`). */
const FOR_TOOLS = 346;
/** Separators of a definition, a call or a result. */
const PER_TOOL = 12;
/** The most that an image costs: what is larger is scaled down ("Vision": about 1.15 megapixels, width x height / 750). */
const PER_IMAGE = 1600;
/** A page of a PDF is 1,500 to 3,000 tokens ("PDF support"); a page is taken to be 50 KiB of file, of which base64 makes 4 / 3. */
const PER_PAGE = 2000;
const PAGE_BASE64_CHARS = (50 * 1024 * 4) / 3;
/** A second of audio, at 8 KiB of compressed data a second. */
const PER_AUDIO_SECOND = 25;
const AUDIO_SECOND_BASE64_CHARS = (8 * 1024 * 4) / 3;

/** What a prompt is made of: its text, and the tokens of what is not text. */
type Measure = { readonly texts: readonly string[]; readonly fixed: number };

/** `tokensIn` counts the tokens of a text: its vocabulary is not a matter of the dialect. */
export async function estimateInputTokens(request: ChatRequest, tokensIn: (text: string) => Promise<number>): Promise<Tokens> {
  const measures = [...request.messages.map(measureMessage), ...measureTools(request.tools)];
  const fixed = measures.reduce((sum, measure) => sum + measure.fixed, 0);
  return tokens(fixed + (await tokensIn(measures.flatMap(measure => measure.texts).join('\n'))));
}

/** The answer of `/v1/messages/count_tokens`. */
export const encodeTokenCount = (count: Tokens): string => JSON.stringify({ input_tokens: count });

function measureMessage(message: Message): Measure {
  const parts = message.content.map(measurePart);
  return {
    texts: parts.flatMap(part => part.texts),
    fixed: parts.reduce((sum, part) => sum + part.fixed, message.role === 'tool' ? PER_TOOL : PER_MESSAGE),
  };
}

function measureTools(list: readonly Tool[]): readonly Measure[] {
  if (list.length === 0) return [];
  const definitions = list.map(({ name, description = '', parameters = {} }) => ({
    texts: [name, description, JSON.stringify(parameters)],
    fixed: PER_TOOL,
  }));
  return [{ texts: [], fixed: FOR_TOOLS }, ...definitions];
}

function measurePart(part: UserPart | AssistantPart): Measure {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return { texts: [part.text], fixed: 0 };
    case 'image':
      return { texts: [], fixed: PER_IMAGE };
    case 'document':
      return measureDocument(part.source, [part.title ?? '', part.context ?? '']);
    case 'audio':
      return { texts: [], fixed: Math.ceil(part.data.length / AUDIO_SECOND_BASE64_CHARS) * PER_AUDIO_SECOND };
    case 'tool-call':
      return { texts: [part.name, part.arguments], fixed: PER_TOOL };
    // Thinking of earlier turns is taken out of the context by the provider and not counted ("Extended thinking").
    case 'thinking':
    case 'redacted-thinking':
      return { texts: [], fixed: 0 };
  }
}

function measureDocument(source: Source, about: readonly string[]): Measure {
  if (source.kind === 'text') return { texts: [...about, source.text], fixed: 0 };
  const pages = source.kind === 'base64' ? Math.ceil(source.data.length / PAGE_BASE64_CHARS) : 1;
  return { texts: about, fixed: pages * PER_PAGE };
}
