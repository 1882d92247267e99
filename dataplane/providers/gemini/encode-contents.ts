// The neutral conversation as Google's: system texts apart, turns of user and model that take turns, all results of a turn's calls in one.
import { portableToolId, signatureOf } from '#core/chat/foreign.ts';
import type { AssistantPart, ChatRequest, Message, Source, ToolCallPart, UserPart } from '#core/chat/request.ts';
import { type Failure, failure } from '#core/failure.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { argumentsObject } from '../wire.ts';
import { typeOfURL } from './media-types.ts';
import type { ModelAbilities } from './models.ts';

export type Part = Readonly<Record<string, unknown>>;
export type Turn = { readonly role: 'user' | 'model'; readonly parts: readonly Part[] };
export type Conversation = { readonly system: readonly Part[]; readonly contents: readonly Turn[] };

/**
 * Stands for a signature where a model demands one and another model made the call (ai.google.dev, "Thought signatures", FAQ: a history
 * of another model).
 */
export const NO_SIGNATURE = 'skip_thought_signature_validator';

export type Setting = {
  readonly abilities: ModelAbilities;
  /** Vertex matches calls and results by name and order, and refuses ids. */
  readonly takesIds: boolean;
  readonly limits: LeavingOut;
  /** Names of the calls so far by their ids, which some servers use anew in every turn: results are sent under the name of what they answer. */
  readonly names: Map<string, string>;
  /** The first thing that is wrong with the request itself. */
  wrong: Failure | undefined;
};

export function encodeContents({ messages }: ChatRequest, setting: Setting): Conversation {
  const system: Part[] = [];
  const contents: Turn[] = [];
  for (const [i, message] of messages.entries()) {
    const path = `messages[${i}]`;
    if ('name' in message && message.name !== undefined) setting.limits.leaveOut(`${path}.name`);
    if (message.role === 'system') system.push(...message.content.flatMap(part => textParts(part.text)));
    else append(contents, message.role === 'assistant' ? 'model' : 'user', partsOf(message, path, setting));
  }
  return placed(system, contents.map(resultsFirst), setting.abilities);
}

function append(contents: Turn[], role: Turn['role'], parts: readonly Part[]): void {
  if (parts.length === 0) return;
  const last = contents.at(-1);
  if (last?.role === role) contents[contents.length - 1] = { role, parts: [...last.parts, ...parts] };
  else contents.push({ role, parts });
}

/** What a result shows besides text, and what the user says to it, comes after all results. */
function resultsFirst(turn: Turn): Turn {
  const isResult = (part: Part) => part.functionResponse !== undefined;
  if (!turn.parts.some(isResult)) return turn;
  return { ...turn, parts: [...turn.parts.filter(isResult), ...turn.parts.filter(part => !isResult(part))] };
}

/** A system prompt alone asks nothing, Gemma has none, and a call is only made when a user has said something. */
function placed(system: readonly Part[], contents: readonly Turn[], { systemInstruction }: ModelAbilities): Conversation {
  const [first, ...rest] = contents;
  const opensWithCall = first?.role === 'model' && first.parts.some(part => part.functionCall !== undefined);
  if (system.length === 0 || (systemInstruction && first && !opensWithCall)) return { system, contents };
  const isUser = first?.role === 'user';
  const turn: Turn = { role: 'user', parts: [...system, ...(isUser ? first.parts : [])] };
  return { system: [], contents: [turn, ...(isUser ? rest : contents)] };
}

function partsOf(message: Exclude<Message, { role: 'system' }>, path: string, setting: Setting): readonly Part[] {
  switch (message.role) {
    case 'user':
      return userParts(message.content, path, setting);
    case 'tool':
      return resultParts(message, path, setting);
    case 'assistant':
      return modelParts(message.content, path, setting);
  }
}

const textParts = (text: string): readonly Part[] => (text === '' ? [] : [{ text }]);

// ---------------------------------------------------------------- the user's

const userParts = (parts: readonly UserPart[], path: string, setting: Setting): readonly Part[] =>
  parts.flatMap((part, i) => userPart(part, `${path}.content[${i}]`, setting));

function userPart(part: UserPart, path: string, { limits }: Setting): readonly Part[] {
  switch (part.kind) {
    case 'text':
      return textParts(part.text);
    case 'image':
      if (part.detail !== undefined && part.detail !== 'auto') limits.leaveOut(`${path}.detail`);
      return sourceParts(part.source, path, limits);
    case 'audio':
      return [{ inlineData: { mimeType: `audio/${part.format}`, data: part.data } }];
    case 'document': {
      const { title, context, citations } = part;
      for (const [name, value] of Object.entries({ title, context, citations: citations || undefined }))
        if (value !== undefined) limits.leaveOut(`${path}.${name}`);
      return sourceParts(part.source, path, limits);
    }
  }
}

/** One of Google's Files API: it is the account's, and nobody knows whose. */
const STORED_FILE = /^https?:\/\/[^/]*\bgoogleapis\.com(?::\d+)?\/[^/]+\/files\//i;

/** Files have ids at other providers, and addresses at Google: what is no address is another's. */
function sourceParts(source: Source, path: string, limits: LeavingOut): readonly Part[] {
  switch (source.kind) {
    case 'base64':
      return [{ inlineData: { mimeType: source.mediaType, data: source.data } }];
    case 'text':
      return [{ inlineData: { mimeType: 'text/plain', data: Buffer.from(source.text).toString('base64') } }];
    case 'url': {
      const mimeType = STORED_FILE.test(source.url) ? undefined : typeOfURL(source.url);
      if (mimeType) return [{ fileData: { fileUri: source.url, mimeType } }];
      limits.leaveOut(path);
      return [];
    }
    case 'file':
      limits.leaveOut(path);
      return [];
  }
}

type ToolMessage = Extract<Message, { role: 'tool' }>;

function resultParts(message: ToolMessage, path: string, setting: Setting): readonly Part[] {
  const { names, takesIds, abilities } = setting;
  const name = names.get(message.callId);
  if (name === undefined) {
    const message = `${path} answers no call of the messages before it.`;
    setting.wrong ??= failure('invalid_request', { param: path, message });
    return [];
  }
  const parts = userParts(message.content, path, setting);
  const text = parts.flatMap(part => (typeof part.text === 'string' ? [part.text] : [])).join('\n');
  const shown = parts.filter(part => part.text === undefined);
  const functionResponse = {
    ...(takesIds && { id: portableToolId(message.callId) }),
    name,
    response: message.isError ? { error: text } : { output: text },
    ...(abilities.mixed && shown.length > 0 && { parts: shown }),
  };
  return [{ functionResponse }, ...(abilities.mixed ? [] : shown)];
}

// ---------------------------------------------------------------- the model's

/** The signature of thinking is on what follows it, as Google gave it: a call, a text, or an empty text at the end. */
function modelParts(parts: readonly AssistantPart[], path: string, setting: Setting): readonly Part[] {
  const encoded: Part[] = [];
  let signature: string | undefined;
  let calls = 0;
  for (const part of parts) {
    if (part.kind === 'thinking') {
      signature = signatureOf('google', part.signature) ?? signature;
      continue;
    }
    const own = part.kind === 'tool-call' ? [callPart(part, `${path}.tool_calls[${calls++}]`, setting)] : spokenParts(part);
    for (const spoken of own) {
      encoded.push(signature === undefined ? spoken : { ...spoken, thoughtSignature: signature });
      signature = undefined;
    }
  }
  if (signature !== undefined) encoded.push({ text: '', thoughtSignature: signature });
  return setting.abilities.demandsSignatures ? withSignature(encoded) : encoded;
}

function spokenParts(part: Exclude<AssistantPart, ToolCallPart>): readonly Part[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return textParts(part.text);
    // Sealed by another provider.
    case 'redacted-thinking':
    case 'thinking':
      return [];
  }
}

/** Of calls that were made at once only the first has a signature. */
function withSignature(parts: readonly Part[]): readonly Part[] {
  const first = parts.findIndex(part => part.functionCall !== undefined);
  const isSigned = first < 0 || parts[first]!.thoughtSignature !== undefined;
  return isSigned ? parts : parts.with(first, { ...parts[first], thoughtSignature: NO_SIGNATURE });
}

function callPart(part: ToolCallPart, path: string, setting: Setting): Part {
  const args = argumentsObject(part.arguments);
  if (!args) {
    const param = `${path}.function.arguments`;
    setting.wrong ??= failure('invalid_request', { param, message: `${param} must be the JSON text of an object.` });
  }
  setting.names.set(part.id, part.name);
  return { functionCall: { ...(setting.takesIds && { id: portableToolId(part.id) }), name: part.name, args: args ?? {} } };
}
