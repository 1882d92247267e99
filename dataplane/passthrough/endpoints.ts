// What of OpenAI's API is passed on besides what the gateway translates: one row for each method and path. What has no row is refused, so
// that nothing that costs money goes by unseen. Paths and fields are those of OpenAI's reference (`openai` 7.57, resources/**).
import type { PassedDialect, PassedOperation } from '#core/chat/dialect.ts';
import type { MeterName } from './meters.ts';

/** How rows and metrics name what is spoken. */
export const PASSED_DIALECT: PassedDialect = 'openai-api';

/** Things that a provider keeps, by which later requests find their way to it. */
export const KINDS = [
  'file',
  'upload',
  'upload_part',
  'batch',
  'fine_tuning_job',
  'vector_store',
  'container',
  'conversation',
] as const;
export type Kind = (typeof KINDS)[number];

export type PassedEndpoint = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/v1`. `{kind}` is the id of something that is kept, `{}` any other name below it. */
  readonly path: string;
  readonly operation: PassedOperation;
  /** How it is paid for. */
  readonly meter: MeterName;
  /** Where the model's name stands; `none`: the provider is found by what is named, or by the operation alone (`service.ts`). */
  readonly model: 'body' | 'query' | 'none';
  readonly body: 'none' | 'json' | 'form' | 'form-or-json';
  /** Its reply is a list of all that the account has: a tenant sees its own. `most`: entries of a page, `usual`: of one
   * that does not say. */
  readonly lists?: { readonly kind: Kind; readonly most: number; readonly usual: number };
  /** What is gone once it is answered. */
  readonly forgets?: Kind;
};

type Row = readonly [route: string, meter: MeterName, more?: Partial<Omit<PassedEndpoint, 'method' | 'path' | 'operation'>>];

const of = (operation: PassedOperation, rows: readonly Row[]): readonly PassedEndpoint[] =>
  rows.map(([route, meter, more]) => {
    const [method, path] = route.split(' ') as [PassedEndpoint['method'], string];
    return { method, path, operation, meter, model: 'none', body: method === 'POST' ? 'json' : 'none', ...more };
  });

const byModel = { model: 'body' } as const;
const formByModel = { model: 'body', body: 'form' } as const;
const noBody = { body: 'none' } as const;

export const passedEndpoints: readonly PassedEndpoint[] = [
  ...of('Responses', [
    ['POST /responses/compact', 'compaction', byModel],
    ['POST /responses/input_tokens', 'count', byModel],
  ]),
  ...of('Images', [
    ['POST /images/generations', 'images', byModel],
    ['POST /images/edits', 'images', { model: 'body', body: 'form-or-json' }],
    ['POST /images/variations', 'images', formByModel],
  ]),
  ...of('Audio', [
    ['POST /audio/speech', 'speech', byModel],
    ['POST /audio/transcriptions', 'transcription', formByModel],
    ['POST /audio/translations', 'transcription', formByModel],
  ]),
  ...of('Realtime', [['GET /realtime', 'realtime', { model: 'query' }]]),
  ...of('Files', [
    ['POST /files', 'free', { body: 'form' }],
    ['GET /files', 'free', { lists: { kind: 'file', most: 10_000, usual: 10_000 } }],
    ['GET /files/{file}', 'free'],
    ['GET /files/{file}/content', 'free'],
    ['DELETE /files/{file}', 'free', { forgets: 'file' }],
    ['POST /uploads', 'free'],
    ['POST /uploads/{upload}/parts', 'free', { body: 'form' }],
    ['POST /uploads/{upload}/complete', 'free'],
    ['POST /uploads/{upload}/cancel', 'free', noBody],
  ]),
  ...of('Batches', [
    ['POST /batches', 'batch'],
    ['GET /batches', 'free', { lists: { kind: 'batch', most: 100, usual: 20 } }],
    ['GET /batches/{batch}', 'free'],
    ['POST /batches/{batch}/cancel', 'free', noBody],
  ]),
  ...of('FineTuning', [
    ['POST /fine_tuning/jobs', 'request', byModel],
    ['GET /fine_tuning/jobs', 'free', { lists: { kind: 'fine_tuning_job', most: 100, usual: 20 } }],
    ['GET /fine_tuning/jobs/{fine_tuning_job}', 'free'],
    ['GET /fine_tuning/jobs/{fine_tuning_job}/events', 'free'],
    ['GET /fine_tuning/jobs/{fine_tuning_job}/checkpoints', 'free'],
    ['POST /fine_tuning/jobs/{fine_tuning_job}/cancel', 'free', noBody],
    ['POST /fine_tuning/jobs/{fine_tuning_job}/pause', 'free', noBody],
    ['POST /fine_tuning/jobs/{fine_tuning_job}/resume', 'free', noBody],
  ]),
  ...of('VectorStores', [
    ['POST /vector_stores', 'request'],
    ['GET /vector_stores', 'free', { lists: { kind: 'vector_store', most: 100, usual: 20 } }],
    ['GET /vector_stores/{vector_store}', 'free'],
    ['POST /vector_stores/{vector_store}', 'free'],
    ['DELETE /vector_stores/{vector_store}', 'free', { forgets: 'vector_store' }],
    ['POST /vector_stores/{vector_store}/search', 'request'],
    ['POST /vector_stores/{vector_store}/files', 'request'],
    ['GET /vector_stores/{vector_store}/files', 'free'],
    ['GET /vector_stores/{vector_store}/files/{file}', 'free'],
    ['POST /vector_stores/{vector_store}/files/{file}', 'free'],
    ['GET /vector_stores/{vector_store}/files/{file}/content', 'free'],
    ['DELETE /vector_stores/{vector_store}/files/{file}', 'free'],
    ['POST /vector_stores/{vector_store}/file_batches', 'request'],
    ['GET /vector_stores/{vector_store}/file_batches/{}', 'free'],
    ['GET /vector_stores/{vector_store}/file_batches/{}/files', 'free'],
    ['POST /vector_stores/{vector_store}/file_batches/{}/cancel', 'free', noBody],
  ]),
  ...of('Containers', [
    ['POST /containers', 'request'],
    ['GET /containers', 'free', { lists: { kind: 'container', most: 100, usual: 20 } }],
    ['GET /containers/{container}', 'free'],
    ['DELETE /containers/{container}', 'free', { forgets: 'container' }],
    ['POST /containers/{container}/files', 'free', { body: 'form-or-json' }],
    ['GET /containers/{container}/files', 'free'],
    ['GET /containers/{container}/files/{}', 'free'],
    ['GET /containers/{container}/files/{}/content', 'free'],
    ['DELETE /containers/{container}/files/{}', 'free'],
  ]),
  ...of('Conversations', [
    ['POST /conversations', 'free'],
    ['GET /conversations/{conversation}', 'free'],
    ['POST /conversations/{conversation}', 'free'],
    ['DELETE /conversations/{conversation}', 'free', { forgets: 'conversation' }],
    ['POST /conversations/{conversation}/items', 'free'],
    ['GET /conversations/{conversation}/items', 'free'],
    ['GET /conversations/{conversation}/items/{}', 'free'],
    ['DELETE /conversations/{conversation}/items/{}', 'free'],
  ]),
];

/**
 * Headers of the client that mean something to providers. Its other ones are for the gateway, or nobody's business; an `idempotency-key` would
 * be one of the account's, and give a tenant what another one made by the same key.
 */
export const HEADERS_PASSED_ON = ['accept', 'openai-beta'];

/** What a path names that is kept. */
export type NamedInPath = { readonly kind: Kind; readonly id: string };

/** One request that is passed on. */
export type PassedCall = {
  readonly endpoint: PassedEndpoint;
  /** Below `/v1`, as the provider gets it. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly named: readonly NamedInPath[];
};

/** What a path leads to: a call, or what it takes instead; undefined: nothing of ours. */
export function passedOf(method: string, path: string, query: string): PassedCall | { readonly allowed: string[] } | undefined {
  if (!path.startsWith('/v1/')) return undefined;
  const segments = path.slice(4).split('/');
  if (!segments.every(isName)) return undefined;
  const found = patterns.filter(pattern => pattern.fits(segments));
  const fitting = found.find(({ endpoint }) => endpoint.method === method);
  if (fitting) return { endpoint: fitting.endpoint, path: path.slice(3), query, named: fitting.namedIn(segments) };
  return found.length > 0 ? { allowed: found.map(({ endpoint }) => endpoint.method) } : undefined;
}

/** A path goes to a provider as it is: nothing in it may lead elsewhere there. */
const isName = (segment: string): boolean => /^[\w.:-]{1,256}$/.test(segment) && !/^\.+$/.test(segment);

const patterns = passedEndpoints.map(endpoint => {
  const wanted = endpoint.path.slice(1).split('/');
  const kindOf = (part: string) => /^\{(\w+)\}$/.exec(part)?.[1] as Kind | undefined;
  return {
    endpoint,
    fits: (segments: readonly string[]) =>
      segments.length === wanted.length && wanted.every((part, i) => part.startsWith('{') || part === segments[i]),
    namedIn: (segments: readonly string[]): readonly NamedInPath[] =>
      wanted.flatMap((part, i) => {
        const kind = kindOf(part);
        return kind ? [{ kind, id: segments[i]! }] : [];
      }),
  };
});

export const unlisted = (method: string, path: string): string =>
  `${method} ${path.slice(0, 256)} is not passed on: what goes to a provider must have a row in the gateway's table of endpoints, which says how it is metered (docs/passthrough.md, "An endpoint that is not listed").`;
