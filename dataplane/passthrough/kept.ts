// What a reply tells of what its provider keeps: noted for the tenant that made it, forgotten when it is gone, and of a list of all that an
// account has, the tenant's own.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { AttemptResult } from '../attempt.ts';
import type { Pin, PinnedKey, Pins } from '../pins/pins.ts';
import type { Kind, PassedCall, PassedEndpoint } from './endpoints.ts';

/** By `object`, what it is; the ids of what came of it stand in further fields. */
const objects: Readonly<Record<string, { readonly kind: Kind; readonly files?: readonly string[] }>> = {
  file: { kind: 'file' },
  upload: { kind: 'upload', files: ['file'] },
  'upload.part': { kind: 'upload_part' },
  batch: { kind: 'batch', files: ['output_file_id', 'error_file_id'] },
  'fine_tuning.job': { kind: 'fine_tuning_job', files: ['result_files'] },
  vector_store: { kind: 'vector_store' },
  container: { kind: 'container' },
  conversation: { kind: 'conversation' },
};

export function keptIn(reply: JsonRecord): readonly PinnedKey[] {
  const known = typeof reply.object === 'string' && Object.hasOwn(objects, reply.object) ? objects[reply.object] : undefined;
  if (!known || typeof reply.id !== 'string') return [];
  const files = (known.files ?? []).flatMap(name => idsIn(reply[name]));
  return [{ kind: known.kind, id: reply.id, ...sizeOf(reply) }, ...files.map(id => ({ kind: 'file', id }))];
}

/** What a model reads at most that is given a file: a byte is a token at least, a page is sent as text and as image, and a picture may be large. */
function sizeOf({ object, bytes }: JsonRecord): Pick<PinnedKey, 'tokens'> {
  return object === 'file' && typeof bytes === 'number' ? { tokens: Math.max(2 * bytes, PICTURE_TOKENS) } : {};
}
const PICTURE_TOKENS = 50_000;

function idsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(idsIn);
  if (isRecord(value)) return idsIn(value.id);
  return typeof value === 'string' ? [value] : [];
}

export type ListAsked = { readonly endpoint: PassedEndpoint; readonly query: string };

/** What the provider is asked for: pages as long as they get, as others' entries are taken out of them. */
export function queryOf({ endpoint, query }: ListAsked): string {
  if (!endpoint.lists) return query;
  const parameters = new URLSearchParams(query);
  parameters.set('limit', String(endpoint.lists.most));
  return parameters.toString();
}

/** Whose answer it is, and who wants to know of it. */
export type Noting = {
  readonly tenant: string;
  /** Where it was made. */
  readonly place: Pick<Pin, 'provider' | 'endpoint'>;
  readonly pins: Pins;
  /** What a file that went up holds, where it may become a batch. */
  readonly file: Readonly<Record<string, unknown>> | undefined;
  readonly batchMade: (id: string, pin: Noting['place']) => Promise<void> | undefined;
  readonly batchTold: (batch: JsonRecord) => Promise<void> | undefined;
  /** Of a list: what its provider has behind this entry; undefined: it does not say. */
  readonly pageAfter: (id: string) => Promise<JsonRecord | undefined>;
};

/** What becomes of an answer. */
export async function afterPassed(call: PassedCall, result: AttemptResult, noting: Noting): Promise<AttemptResult> {
  const { tenant, pins } = noting;
  const { endpoint, named } = call;
  const isGone = result.upstreamStatus === 404 && result.kind === 'refused';
  if (endpoint.forgets && (isGone || result.kind === 'answered'))
    for (const key of named) if (key.kind === endpoint.forgets) await pins.forget(tenant, key);
  if (result.kind !== 'answered' || !result.reply) return result;
  const reply = recordIn(result.reply.body);
  if (endpoint.lists) {
    const page = await ownPage(reply, call, noting);
    if (page.ok) return { ...result, reply: { ...result.reply, body: JSON.stringify(page.value) } };
    return { ...result, kind: 'refused', reply: undefined, failure: page.failure };
  }
  if (!endpoint.forgets) await note(reply, endpoint, noting);
  return result;
}

async function note(
  reply: JsonRecord,
  endpoint: PassedEndpoint,
  { tenant, place, pins, file, ...noting }: Noting,
): Promise<void> {
  const [own, ...others] = keptIn(reply);
  if (!own) return;
  await pins.keep(tenant, others, place);
  if (own.kind === 'batch') {
    if (endpoint.meter === 'batch') await noting.batchMade(own.id, place);
    else await noting.batchTold(reply);
  } else if (endpoint.method === 'POST') {
    const isForBatch = own.kind === 'file' && reply.purpose === 'batch' && file !== undefined;
    await pins.keep(tenant, [own], { ...place, ...(isForBatch && { about: { batch: file } }) });
  }
}

/** Which is known to be one. */
const recordIn = (body: Buffer | string): JsonRecord => JSON.parse(body.toString()) as JsonRecord;

/**
 * A page with the tenant's own entries, at most as many as it asked for: clients take a page without any for the last one. `has_more` as of all
 * of them: the next page may be shorter as well.
 */
async function ownPage(first: JsonRecord, { endpoint, query }: ListAsked, noting: Noting): Promise<Parsed<JsonRecord>> {
  const { kind, usual } = endpoint.lists!;
  const parameters = new URLSearchParams(query);
  const asked = Number(parameters.get('limit') ?? usual);
  const limit = asked > 0 ? asked : usual;
  const own: JsonRecord[] = [];
  let page = first;
  for (let pages = 1; ; pages++) {
    const entries = (Array.isArray(page.data) ? page.data : []).filter(isRecord);
    const some = await ownOf(entries, kind, noting);
    if (!some.ok) return some;
    own.push(...some.value);
    const last = entries.at(-1);
    // Who goes backwards has no page behind its last entry.
    const next = own.length < limit && last && page.has_more === true && pages < PAGES_MAX && !parameters.has('before');
    const more = next ? await noting.pageAfter(String(last.id)) : undefined;
    if (!more) break;
    page = more;
  }
  const data = own.slice(0, limit);
  // Files that came of a batch or a job are asked for by their own ids, so these are noted too.
  for (const entry of data) await noting.pins.keep(noting.tenant, keptIn(entry).slice(1), noting.place);
  return ok({
    ...first,
    data,
    has_more: own.length > data.length || page.has_more === true,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  });
}

/** Pages of the provider's, the longest that it has, that are read for one list: a tenant whose entries are all behind these sees none. */
const PAGES_MAX = 20;

async function ownOf(entries: readonly JsonRecord[], kind: Kind, { tenant, place, pins }: Noting): Promise<Parsed<JsonRecord[]>> {
  const own: JsonRecord[] = [];
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    const some = entries.slice(at, at + AT_ONCE);
    const found = await pins.find(
      tenant,
      some.map(({ id }) => ({ kind, id: String(id) })),
    );
    if (found === 'away')
      return refuse('store_unavailable', { message: 'It is not known now what of these is yours; try again.' });
    own.push(...some.filter((_, i) => found[i]?.provider === place.provider));
  }
  return ok(own);
}

const AT_ONCE = 1000;
