// The tokens of a conversation as an engine's cache sees them: one list from the first message on, to which each turn appends. Counted
// as usage is counted, so that what the cache found and what a client is told agree.
import { hash } from 'node:crypto';
import type { Answer } from '../answer.ts';
import { isRecord, type Json } from '../shape.ts';
import { attachmentTokens, countTokens } from '../tokens.ts';
import type { BlockHash } from './kv-blocks.ts';

/** Bytes that stand for a token: what it is made of, as `countTokens` cuts texts. */
const TOKEN_BYTES = 4;

/** Digests of the full blocks of prompt and answer, each with all that is before it. A salt keeps conversations apart, as `cache_salt` does. */
export function blockHashes(body: Json, answers: readonly Answer[], blockSize: number): BlockHash[] {
  const bytes = Buffer.concat([...promptPieces(body), ...answers.map(answerBytes)]);
  const blockBytes = blockSize * TOKEN_BYTES;
  const hashes: BlockHash[] = [];
  let before = `${body.model} ${body.cache_salt ?? ''}`;
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) {
    before = hash('sha1', Buffer.concat([Buffer.from(before), bytes.subarray(at, at + blockBytes)]), 'base64');
    hashes.push(before);
  }
  return hashes;
}

/**
 * The four tokens that a message costs besides its texts come after them, so that an answer, which follows the last message at once, is
 * in the place where the next turn repeats it.
 */
const promptPieces = (body: Json): Buffer[] => [
  ...(body.tools?.length ? [textBytes(JSON.stringify(body.tools))] : []),
  ...(body.messages as Json[]).flatMap(({ content, tool_calls, role }) => [
    ...contentBytes(content),
    ...(tool_calls ? [textBytes(JSON.stringify(tool_calls))] : []),
    sized(Buffer.from(String(role)), 4),
  ]),
];

function contentBytes(content: unknown): Buffer[] {
  if (!Array.isArray(content)) return typeof content === 'string' ? [textBytes(content)] : [];
  return content.map(part =>
    isRecord(part) && part.type === 'text'
      ? textBytes(String(part.text))
      : sized(Buffer.from(hash('sha1', JSON.stringify(part))), attachmentTokens),
  );
}

const answerBytes = ({ thinking, text, calls }: Answer): Buffer =>
  Buffer.concat([...thinking, ...text, ...calls.flatMap(call => [call.name, ...call.arguments])].map(textBytes));

const textBytes = (text: string): Buffer => sized(Buffer.from(text), countTokens(text));

/** As many tokens, padded or cut. */
function sized(bytes: Buffer, tokens: number): Buffer {
  const whole = Buffer.alloc(tokens * TOKEN_BYTES);
  bytes.copy(whole);
  return whole;
}
