// Any request, encoded for a provider of the other dialect and read back by the frontend that speaks it: everything is there again, or
// named among what was left out. What comes out is also shown to the simulator, which refuses what the real wire would.

import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatRequest, Message, UserPart } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import type { ProviderType } from '#core/snapshot/snapshot.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { wireFor } from '#dataplane/providers/index.ts';
import type { EncodedRequest, Target } from '#dataplane/providers/provider.ts';
import { anthropicInvalid } from '#simulator/wires/anthropic-validate.ts';
import { openaiInvalid } from '#simulator/wires/openai-validate.ts';
import { anyRequest } from '#test/support/any-request.ts';
import { encodedBy } from '#test/support/encoded.ts';
import { valueIn } from '#test/support/parsed.ts';

// ---------------------------------------------------------------- there and back

const targetOf = (type: ProviderType, upstreamName: string, dropUnsupported: boolean): Target =>
  ({
    model: { name: 'public', upstreamName, capabilities: ['Chat'] },
    provider: {
      name: 'p',
      connection: { type, baseURL: 'http://upstream', endpoints: [] },
      parameters: { dropUnsupported, set: {}, drop: [] },
    },
  }) as unknown as Target;

function readBack(frontend: Frontend, body: object): ChatRequest {
  const bytes = Buffer.from(JSON.stringify(body));
  return valueIn(frontend.decode(valueIn(scanObject(bytes, { maxDepth: 100, interpreted: new Set<string>(), isUtf8 }))));
}

const encodedFor = (type: ProviderType, upstreamName: string, request: ChatRequest) =>
  encodedBy(wireFor(request.dialect, targetOf(type, upstreamName, true)), request, dropUnsupported =>
    targetOf(type, upstreamName, dropUnsupported),
  );

/** Everything but the messages that a request asks for, by where it stands: `sampling.seed`, `tools.0.name`. Defaults need not be said. */
function settingsOf(request: ChatRequest): Map<string, string> {
  const {
    tools,
    toolChoice,
    parallelToolCalls,
    output: format,
    sampling,
    maxOutputTokens,
    stop,
    logprobs,
    user,
    stream,
    extra,
  } = request;
  const choice = toolChoice?.kind === 'auto' ? undefined : toolChoice;
  const settings = {
    tools: tools.map(one => ({ ...one, strict: one.strict || undefined })),
    ...(tools.length > 0 && { choice, isSerial: (parallelToolCalls === false && choice?.kind !== 'none') || undefined }),
    // Its name is a label for which Anthropic has no place, and which changes no answer.
    output: format && { ...format, name: undefined },
    ...{ sampling, maxOutputTokens, stop, logprobs, user, stream, extra },
  };
  const facts = new Map<string, string>();
  const walk = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'object' && value !== null)
      for (const [key, child] of Object.entries(value)) walk(child, [...path, key]);
    else if (value !== undefined) facts.set(path.join('.'), JSON.stringify(value));
  };
  walk(settings, []);
  return facts;
}

const wireNames: Readonly<Record<string, string>> = {
  topP: 'top_p',
  topK: 'top_k',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
};

/** The names under which a setting may be left out: its own on the wire, or that of anything it is part of. */
function namesOf(path: string): readonly string[] {
  const [first = '', second = ''] = path.split('.');
  if (first === 'extra') return [second];
  if (first === 'sampling') return [wireNames[second] ?? second];
  if (first === 'output') return ['response_format', `response_format.json_schema.${second}`];
  return [first, path.replaceAll(/\.(\d+)/g, '[$1]')];
}

function assertTold(
  request: ChatRequest,
  { body, dropped }: EncodedRequest,
  frontend: Frontend,
  told: (all: readonly Message[]) => unknown,
): void {
  const again = readBack(frontend, body);
  const after = settingsOf(again);
  for (const [path, said] of settingsOf(request)) {
    const isNamed = namesOf(path).some(named => dropped.includes(named));
    assert.ok(after.get(path) === said || isNamed, `${path} = ${said} became ${after.get(path)}; left out: ${dropped}`);
  }
  assert.deepEqual(asJson(told(again.messages)), asJson(told(without(request.messages, dropped))));
}

/** Without fields that are undefined. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** The messages without what is named as left out: a part, or a field of one. */
function without(all: readonly Message[], dropped: readonly string[]): Message[] {
  const isLeft = (path: string) => !dropped.includes(path);
  const copies = structuredClone(all) as unknown as { content: Record<string, unknown>[]; name?: string }[];
  for (const [i, message] of copies.entries()) {
    const at = `messages[${i}]`;
    for (const [j, part] of message.content.entries())
      for (const field of ['detail', 'citations']) if (!isLeft(`${at}.content[${j}].${field}`)) delete part[field];
    message.content = message.content.filter((_, j) => isLeft(`${at}.content[${j}]`));
    if (!isLeft(`${at}.name`)) delete message.name;
  }
  return copies as unknown as Message[];
}

// ---------------------------------------------------------------- what each side can tell apart

type Said = readonly [role: string, what: unknown];

/** One thing after the other: Anthropic tells system texts apart, and joins turns of the same role. A refusal is a text there. */
function toldToAnthropic(all: readonly Message[]): Said[] {
  const flat = all.flatMap((message): Said[] => {
    if (message.role === 'tool') return [['tool', { ...message, role: undefined }]];
    const who: Said[] = 'name' in message && message.name !== undefined ? [['name', message.name]] : [];
    return [...who, ...message.content.map((part): Said => [message.role, plainPart(part)])];
  });
  return [...flat.filter(([role]) => role === 'system'), ...flat.filter(([role]) => role !== 'system')];
}

const plainPart = (part: Message['content'][number]): unknown => {
  switch (part.kind) {
    case 'refusal':
      return { kind: 'text', text: part.text };
    case 'tool-call':
      return { ...part, arguments: JSON.parse(part.arguments || '{}') };
    case 'image':
      return { ...part, ...(part.detail === 'auto' && { detail: undefined }) };
    case 'document':
      return { ...part, citations: part.citations || undefined };
    default:
      return part;
  }
};

/** OpenAI's messages stay apart; the texts of one message are one, but for a user's. Results are text, and say by a word that they failed. */
function toldToOpenAI(all: readonly Message[]): unknown[] {
  return all.map(message => {
    switch (message.role) {
      case 'system':
        return { role: 'system', text: message.content.map(part => part.text).join('\n\n') };
      case 'user':
        return { role: 'user', name: message.name, content: message.content.flatMap(shownToOpenAI).filter(isNotEmpty) };
      case 'tool': {
        const text = message.content.map(part => (part.kind === 'text' ? part.text : '')).join('\n');
        return { role: 'tool', callId: message.callId, text: message.isError ? `Error: ${text}` : text };
      }
      case 'assistant': {
        const textOf = (kind: string) =>
          message.content.map(part => (part.kind === kind && 'text' in part ? part.text : '')).join('');
        const calls = message.content.filter(part => part.kind === 'tool-call');
        return { role: 'assistant', name: message.name, text: textOf('text'), refusal: textOf('refusal'), calls };
      }
    }
    return message satisfies never;
  });
}

/** The content of a message of which nothing was left. */
const isNotEmpty = (part: unknown): boolean => !(part && typeof part === 'object' && 'text' in part && part.text === '');

/** A document of text is text; of a file, what the client said about it stands before it. */
function shownToOpenAI(part: UserPart): unknown[] {
  if (part.kind !== 'document') return [part];
  const { source, title, context } = part;
  if (source.kind === 'text') return [{ kind: 'text', text: [title, context, source.text].filter(Boolean).join('\n\n') }];
  const about = context === undefined ? [] : [{ kind: 'text', text: context }];
  return [...about, { kind: 'document', source, title: title ?? 'document.pdf' }];
}

describe('any request', () => {
  for (const upstreamName of ['claude-sonnet-4-5', 'claude-opus-5', 'claude-3-haiku-20240307'])
    test(`for ${upstreamName} says there what it said, but for what is named`, () => {
      fc.assert(
        fc.property(anyRequest, request => {
          const encoded = encodedFor('Anthropic', upstreamName, request);
          assert.equal(anthropicInvalid(encoded.body, '2023-06-01', 'messages'), undefined);
          assertTold(request, encoded, anthropicMessages, toldToAnthropic);
        }),
      );
    });

  for (const [type, upstreamName] of [
    ['OpenAI', 'gpt-4o'],
    ['OpenAI', 'gpt-5-mini'],
    ['OpenAICompatible', 'llama'],
    ['VLLM', 'llama'],
  ] as const)
    test(`for ${upstreamName} at ${type} says there what it said, but for what is named`, () => {
      fc.assert(
        fc.property(anyRequest, asked => {
          const request: ChatRequest = { ...asked, dialect: 'anthropic-messages' };
          const encoded = encodedFor(type, upstreamName, request);
          if (type === 'OpenAI') assert.equal(openaiInvalid(encoded.body), undefined);
          assertTold(request, encoded, openAIChat, toldToOpenAI);
        }),
      );
    });
});
