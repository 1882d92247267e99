// Which strings of a request or an answer are words, in whatever dialect: what people and models wrote, and not what programs go by. For
// those who look at what is said, or change it, and leave all else as it is.
import { type JsonNode, type JsonString, stringsIn, type Taken, textOfString } from '../json/strings.ts';

/** A string of a request that holds words. */
export type TextAsked = JsonString & {
  /** The words are JSON themselves: arguments of a tool. */
  readonly isJson: boolean;
};

/** A string of an answer that holds words. */
export type TextAt = TextAsked & {
  /** Such as `choices[0].delta.content`: of the text that it is a piece of, where `isPiece`. */
  readonly place: string;
  /** Of a stream: the text goes on in later events, at the same place. */
  readonly isPiece: boolean;
};

// ---------------------------------------------------------------- requests

/**
 * Names of what programs go by: identifiers, kinds, settings; bytes of files; addresses; what a provider has signed; keys that it is to use
 * elsewhere.
 */
const NO_WORDS: ReadonlySet<string> = new Set(
  `model id type role object name format detail status effort mode voice language encoding_format service_tier tool_choice
  data bytes file_data b64_json image_url server_url url uri fileUri file_uri media_type mediaType mimeType mime_type
  authorization authorization_token apiKeyString
  signature thoughtSignature encrypted_content encrypted_index encrypted_stdout thinking redactedContent redacted_thinking
  cache_control ttl required enum $ref $schema pattern const`.split(/\s+/),
);
const IS_ID = /(_id|Id|_ids|Ids)$/;

/** Objects that say by whom a provider is let in elsewhere: at an MCP server, a search index. */
const CREDENTIALS: ReadonlySet<string> = new Set(['headers', 'authentication']);

/** What stands in the arguments of a tool or of a prompt, or in what a tool gave back, is words under any name. */
const ARGUMENTS: ReadonlySet<string> = new Set('arguments args input output response result json variables'.split(' '));

/** Programs get the documents of a rerank, or those that an answer is to quote, by names of their own. */
const DOCUMENTS = 'documents';

/** One by one: a request may have millions. In their order, but for texts of files. */
export function* textsOfRequest(json: string): Generator<TextAsked, void> {
  let textIn: JsonNode | undefined;
  let file: JsonString | undefined;
  for (const string of stringsIn(json)) {
    const { key, within } = string;
    const isWords = !(NO_WORDS.has(key) || IS_ID.test(key) || CREDENTIALS.has(within.key));
    if (isWords || isArgument(within) || (key === FILE && within === textIn)) {
      yield { ...string, isJson: key === 'arguments' };
      continue;
    }
    if (key === FILE) file = string;
    if (!isTextType(json, string)) continue;
    textIn = within;
    if (file?.within === within) yield { ...file, isJson: false };
  }
}

/** Has the bytes of a file, or its text where the object around it is of the type `text`: Anthropic's plain text sources. */
const FILE = 'data';

const isTextType = (json: string, { key, start, end }: JsonString): boolean =>
  key === 'type' && textOfString(json, start, end) === 'text';

function isArgument(within: JsonNode | undefined): boolean {
  for (let node = within; node; node = node.parent) {
    if (node.key === DOCUMENTS && node.at !== undefined) return true;
    // A list of that name is a conversation (Responses' `input`, `output`).
    if (ARGUMENTS.has(node.key) && !node.isList && node.at === undefined && node.parent?.parent) return true;
  }
  return false;
}

// ---------------------------------------------------------------- answers

const WORDS: ReadonlySet<string> = new Set(
  `content text delta refusal reasoning reasoning_content thinking summary arguments partial_json stringValue input output transcript
  code logs stdout stderr lines diff command commands query queries webSearchQueries title document_title snippet renderedContent
  cited_text quote instructions revised_prompt`.split(/\s+/),
);

/** Tokens one by one, with those that might have stood in their place: the words of the answer once more. */
const PROBABILITIES: ReadonlySet<string> = new Set(['logprobs', 'logprobsResult']);

/** @param onProbabilities told of the values that say the answer once more, as probabilities of its tokens */
export function textsOfAnswer(json: string, event: string, onProbabilities: Taken['take']): TextAt[] {
  const strings = [...stringsIn(json, { has: name => PROBABILITIES.has(name), take: onProbabilities })];
  const textFiles = new Set(strings.filter(string => isTextType(json, string)).map(({ within }) => within));
  const name = event || typeOf(json, strings);
  return strings.flatMap(string => {
    const { key, within } = string;
    const isInArguments = isArgument(within);
    if (!isInArguments && !WORDS.has(key) && !(key === FILE && textFiles.has(within))) return [];
    const isPiece = !isInArguments && isPieceOfText(string);
    return [{ ...string, place: placeOf(string), isPiece, isJson: isJsonText(string, isPiece, name) }];
  });
}

/** Of an event whose name is left out, as not all servers of Responses say it. */
function typeOf(json: string, strings: readonly JsonString[]): string {
  const type = strings.find(({ key, within }) => key === 'type' && within.parent === undefined);
  return type ? textOfString(json, type.start, type.end) : '';
}

const FINISH = /^finish_?reason$/i;
const IS_FINISHED = /"finish_?reason"\s*:\s*"[^"]/i;

/** Choices that have all their words, each as the places of its words begin, such as `choices[0]`. */
export function choicesFinishedIn(json: string): readonly string[] {
  if (!IS_FINISHED.test(json)) return [];
  const reasons = [...stringsIn(json)].filter(({ key, end, start }) => FINISH.test(key) && end - start > '""'.length);
  return reasons.map(reason => placeOf(reason).replace(/\.[^.]+$/, ''));
}

/** Deltas; Google's parts and completions' texts go on without being called so. */
function isPieceOfText({ key, within }: JsonString): boolean {
  if (key === 'delta') return true;
  const isBare = key === 'text';
  for (let node: JsonNode | undefined = within; node; node = node.parent)
    if (node.key === 'delta' || (isBare && (node.key === 'choices' || node.key === 'candidates'))) return true;
  return false;
}

function isJsonText({ key }: JsonString, isPiece: boolean, event: string): boolean {
  if (key === 'arguments' || key === 'partial_json') return true;
  return isPiece && (key === 'input' || (key === 'delta' && event.includes('arguments')));
}

/** Such as `messages[0].content`. */
export function placeOf({ key, at, within }: JsonString): string {
  let place = at === undefined ? `.${key}` : `[${at}]`;
  for (let node: JsonNode | undefined = within; node; node = node.parent) place = stepOf(node) + place;
  return place.startsWith('.') ? place.slice(1) : place;
}

/** An element is known by its own `index` where it has one: events of a stream leave out those that have nothing new. */
function stepOf({ key, at, indexes }: JsonNode): string {
  if (at !== undefined) return `[${/^index=(\d+)/.exec(indexes)?.[1] ?? at}]`;
  return (key === '' ? '' : `.${key}`) + (indexes === '' ? '' : `(${indexes})`);
}
