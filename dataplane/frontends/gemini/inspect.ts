// The cheap look at a body of this dialect: the few small fields that the gateway acts on. Model and stream are in the path.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { invalid, isFilledList } from '../essentials.ts';
import type { Envelope, StateName } from '../frontend.ts';
import { mayHave } from '../references.ts';
import { fields } from './fields.ts';
import { camelFields, inSnake } from './spelling.ts';

/** What the path says. */
export type Asked = { readonly model: string; readonly stream: boolean };

const MODEL_LENGTH_MAX = 256;

export function inspect(body: JsonView, asked: Asked): Parsed<Envelope> {
  if (!isFilledList(body, 'contents')) return invalid('contents', 'a list of at least one content');
  return inspectAny(body, asked);
}

/** For `:countTokens`, where the request may stand in a field of its own. */
export function inspectCount(body: JsonView, asked: Asked): Parsed<Envelope> {
  const isNested = fields.others.some(name => name.startsWith('generate') && body.has(name));
  return isNested ? inspectAny(body, asked) : inspect(body, asked);
}

function inspectAny(body: JsonView, { model, stream }: Asked): Parsed<Envelope> {
  if (model === '' || model.length > MODEL_LENGTH_MAX) return invalid('model', `a name of 1 to ${MODEL_LENGTH_MAX} characters`);
  const twice = spelledTwice(body);
  if (twice !== undefined) return invalid(twice, `given once: '${inSnake(twice)}' is the same field`);
  const read = readControls(body);
  if (!read.ok) return read;
  const { controls, edits } = read.value;
  const envelope = { model, stream, includeUsage: true, controls, edits: withoutOurs(body, edits) };
  const names = mayName(body) ? namesIn(body) : [];
  return ok({ ...envelope, ...(readsMore(body) && { readsMore: true }), ...(names.length > 0 && { names }) });
}

const CACHED = ['cachedContent', inSnake('cachedContent')];
const FILE_URI = ['fileUri', inSnake('fileUri')];
const mayName = mayHave(...CACHED, ...FILE_URI);

/** Caches, and files of Google's Files API: all who ask with a key of the account may name them. */
function namesIn(body: JsonView): readonly StateName[] {
  const whole = body.whole();
  const cached = CACHED.filter(name => typeof whole[name] === 'string' && whole[name] !== '');
  return [
    ...cached.map((name): StateName => ({ kind: 'cached_content', id: String(whole[name]), param: name })),
    ...Object.entries(whole).flatMap(([name, value]) => filesIn(value, name)),
  ];
}

function filesIn(value: unknown, param: string): readonly StateName[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => filesIn(item, `${param}[${i}]`));
  if (isRecord(value)) return Object.entries(value).flatMap(([name, inner]) => filesIn(inner, `${param}.${name}`));
  const isUri = FILE_URI.some(name => param.endsWith(`.${name}`));
  return isUri && STORED_FILE.test(String(value)) ? [{ kind: 'file', id: String(value), param }] : [];
}

/** Other addresses are of what everybody may read, or what the account's own rights allow (`gs://`). */
const STORED_FILE = /^(?:https?:\/\/[^/]*\bgoogleapis\.com(?::\d+)?\/[^/]+\/)?files\//i;

/** What stands in a cache or a file of Google's, how long a video is, and what its tools find: nothing in the body says how much that is. */
function readsMore(body: JsonView): boolean {
  if (['cachedContent', inSnake('cachedContent')].some(name => body.has(name))) return true;
  const contents = body.fields.get('contents');
  const turns = contents && body.bytes.subarray(contents.start, contents.end);
  if (turns && UNMEASURED.some(mark => turns.includes(mark))) return true;
  const tools = body.get('tools');
  return Array.isArray(tools) && tools.some(tool => isRecord(tool) && Object.keys(tool).some(name => !FUNCTIONS.has(name)));
}

/** The last four are letters by their numbers: no encoder writes them so, and who does hides a name from those who look for it. */
const UNMEASURED = ['"fileData"', '"file_data"', '"video/', '\\u004', '\\u005', '\\u006', '\\u007'];
const FUNCTIONS: ReadonlySet<string> = new Set(['functionDeclarations', inSnake('functionDeclarations')]);

/** Google itself refuses it; where it is not asked, one of the two would count here and the other there. */
function spelledTwice(body: JsonView): string | undefined {
  const names = [...body.fields.keys()];
  const top = names.find(name => name !== inSnake(name) && body.has(inSnake(name)));
  if (top !== undefined) return top;
  const settings = names.find(name => name === 'generationConfig' || name === 'generation_config');
  const config = settings === undefined ? undefined : body.get(settings);
  if (!isRecord(config)) return undefined;
  const inner = Object.keys(config).find(name => name !== inSnake(name) && inSnake(name) in config);
  return inner === undefined ? undefined : `${settings}.${inner}`;
}

/** Fields of the other dialects that are controls of ours in this one: Google knows none of them. */
function withoutOurs(body: JsonView, edits: Envelope['edits']): Envelope['edits'] {
  const ours = ['user', 'metadata'].filter(name => body.has(name));
  return ours.length === 0 ? edits : new Map([...edits, ...ours.map(name => [name, null] as const)]);
}

/** The whole body under its JSON names, without our request controls. */
export function bodyOf(view: JsonView): Readonly<Record<string, unknown>> {
  return camelFields(view.whole());
}
