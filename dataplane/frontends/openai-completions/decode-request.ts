// A completions body as the neutral request: the one text it has is what a user says. What only a model of plain text can do (a suffix,
// several prompts, tokens for a prompt) stays by its name, for a target of another dialect to refuse.
import type { ChatRequest } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import { otherFields } from '../controls.ts';
import {
  aBoolean,
  aList,
  aName,
  aNumber,
  aString,
  type Faults,
  integerFrom,
  invalid,
  optional,
  present,
  required,
  unsupported,
} from '../reading.ts';

export function decodeRequest(view: JsonView): Parsed<ChatRequest> {
  const body = view.whole();
  const faults: Faults = {};
  const limit = optional(faults, body.max_tokens, 'max_tokens', integerFrom(0));
  const request = present({
    dialect: 'openai-completions' as const,
    model: required(faults, body.model, 'model', aName, ''),
    messages: [{ role: 'user' as const, content: [{ kind: 'text' as const, text: readPrompt(faults, body.prompt) }] }],
    tools: [],
    sampling: present({
      temperature: optional(faults, body.temperature, 'temperature', aNumber),
      topP: optional(faults, body.top_p, 'top_p', aNumber),
      frequencyPenalty: optional(faults, body.frequency_penalty, 'frequency_penalty', aNumber),
      presencePenalty: optional(faults, body.presence_penalty, 'presence_penalty', aNumber),
      seed: optional(faults, body.seed, 'seed', integerFrom(Number.MIN_SAFE_INTEGER)),
    }),
    maxOutputTokens: limit === undefined ? undefined : tokens(Math.max(1, limit)),
    stop: readStop(faults, body),
    choices: optional(faults, body.n, 'n', integerFrom(1, 128)),
    stream: optional(faults, body.stream, 'stream', aBoolean) ?? false,
    user: optional(faults, body.user, 'user', aString),
    extra: otherFields(body, KNOWN, DEFAULTS),
  });
  return faults.first ? { ok: false, failure: faults.first } : ok(request);
}

function readPrompt(faults: Faults, prompt: unknown): string {
  const only = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  if (typeof only === 'string') return only;
  if (Array.isArray(prompt) && prompt.length > 0) unsupported(faults, 'prompt', 'a prompt of several texts, or of tokens,');
  else invalid(faults, 'prompt', 'a text, or a list of at least one');
  return '';
}

function readStop(faults: Faults, body: JsonRecord): readonly string[] {
  if (typeof body.stop === 'string') return [body.stop];
  const list = optional(faults, body.stop, 'stop', aList) ?? [];
  return list.map((text, i) => required(faults, text, `stop[${i}]`, aString, ''));
}

const KNOWN: ReadonlySet<string> = new Set(
  'model prompt temperature top_p frequency_penalty presence_penalty seed max_tokens stop n stream stream_options user'.split(
    ' ',
  ),
);

/** What a body says that is so anyway. */
const DEFAULTS: Readonly<Record<string, unknown>> = { suffix: '', echo: false, best_of: 1 };
