// What an account of OpenAI keeps: files, uploads, batches, jobs of fine-tuning, vector stores, containers, conversations. One account for all
// who ask: whose a thing is, a provider does not know.
import { digestOf } from '../answer.ts';
import { anything, integer, type Json, list, object, oneOf, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiError, openaiProblem } from '../wires/openai-errors.ts';
import type { Refusal } from '../wires/wire.ts';
import { type ApiCall, type ApiFile, type ApiReply, done, missing, noSuch, usageOf } from './call.ts';

type Thing = Json & { id: string; object: string };

const THINGS_MAX = 10_000;

export class Things {
  readonly #all = new Map<string, Thing>();
  readonly #contents = new Map<string, Buffer>();
  #made = 0;

  // ------------------------------------------------------------ files

  readonly createFile = ({ body: { fields, files }, now }: ApiCall): ApiReply => {
    const [upload] = files;
    if (upload?.field !== 'file' || files.length !== 1) return missing('file');
    if (!PURPOSES.includes(fields.purpose))
      return openaiError(400, `'${fields.purpose}' is not one of ${PURPOSES.join(', ')}`, { param: 'purpose' });
    return done(this.#newFile(upload.file, fields.purpose, now));
  };

  readonly fileContent = ({ ids: [id = ''] }: ApiCall): ApiReply => {
    const content = this.#contents.get(id);
    return content ? { status: 200, type: 'application/octet-stream', pieces: [content] } : noSuch('File', id);
  };

  #newFile({ name, bytes }: ApiFile, purpose: string, now: number): Thing {
    const file = this.#add('file', 'file-', now, {
      bytes: bytes.length,
      filename: name,
      purpose,
      status: 'processed',
      expires_at: null,
    });
    this.#contents.set(file.id, bytes);
    return file;
  }

  // ------------------------------------------------------------ uploads

  readonly createUpload = ({ body: { fields }, now }: ApiCall): ApiReply => {
    const problem = object(
      { bytes: integer(1), filename: text(), mime_type: text(), purpose: text() },
      { expires_after: anything },
    )(fields);
    if (problem) return openaiProblem(problem);
    return done(this.#add('upload', 'upload_', now, { ...fields, status: 'pending', expires_at: now + 3600, file: null }));
  };

  readonly addPart = ({ ids: [id = ''], body: { files }, now }: ApiCall): ApiReply => {
    if (!this.#all.has(id)) return noSuch('Upload', id);
    const [part] = files;
    if (part?.field !== 'data') return missing('data');
    const thing = this.#add('upload.part', 'part_', now, { upload_id: id });
    this.#contents.set(thing.id, part.file.bytes);
    return done(thing);
  };

  readonly completeUpload = ({ ids: [id = ''], body: { fields }, now }: ApiCall): ApiReply => {
    const upload = this.#all.get(id);
    if (!upload) return noSuch('Upload', id);
    const problem = object({ part_ids: list(text(), { min: 1 }) }, { md5: text() })(fields);
    if (problem) return openaiProblem(problem);
    const parts = (fields.part_ids as string[]).map(part =>
      this.#all.get(part)?.upload_id === id ? this.#contents.get(part) : undefined,
    );
    if (parts.some(part => !part)) return openaiError(400, 'Some parts do not belong to this upload.', { param: 'part_ids' });
    const bytes = Buffer.concat(parts as Buffer[]);
    if (bytes.length !== upload.bytes) return openaiError(400, 'The number of bytes does not match the upload.');
    const file = this.#newFile({ name: upload.filename, type: upload.mime_type, bytes }, upload.purpose, now);
    return done(Object.assign(upload, { status: 'completed', file }));
  };

  // ------------------------------------------------------------ batches

  readonly createBatch = ({ body: { fields }, now }: ApiCall): ApiReply => {
    const problem = object(
      { input_file_id: text(), endpoint: oneOf(...BATCH_ENDPOINTS), completion_window: oneOf('24h') },
      { metadata: anything, output_expires_after: anything },
    )(fields);
    if (problem) return openaiProblem(problem);
    const file = this.#all.get(fields.input_file_id);
    if (file?.purpose !== 'batch') return openaiError(400, `Invalid file '${fields.input_file_id}'.`, { param: 'input_file_id' });
    return done(
      this.#add('batch', 'batch_', now, {
        ...fields,
        status: 'validating',
        request_counts: { total: 0, completed: 0, failed: 0 },
        looks: 0,
      }),
    );
  };

  /** It is done when it is looked at for the second time. */
  readonly batch = ({ ids: [id = ''], now }: ApiCall): ApiReply => {
    const batch = this.#all.get(id);
    if (!batch) return noSuch('Batch', id);
    batch.looks++;
    if (batch.status === 'validating') batch.status = 'in_progress';
    if (batch.status === 'in_progress' && batch.looks >= 2) this.#work(batch, now);
    return done(shown(batch));
  };

  readonly cancelBatch = ({ ids: [id = ''] }: ApiCall): ApiReply => {
    const batch = this.#all.get(id);
    if (!batch) return noSuch('Batch', id);
    return done(shown(Object.assign(batch, { status: 'cancelled' })));
  };

  #work(batch: Thing, now: number): void {
    const lines = this.#contents
      .get(batch.input_file_id)!
      .toString()
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Json);
    const answers = lines.map(({ custom_id, body }) => {
      const said = `Answer ${digestOf(JSON.stringify(body)).slice(0, 8)}`;
      const usage = {
        prompt_tokens: countTokens(JSON.stringify(body.messages ?? body.input)),
        completion_tokens: countTokens(said),
      };
      return {
        custom_id,
        response: { status_code: 200, body: { model: body.model, usage, choices: [{ message: { content: said } }] } },
        usage,
      };
    });
    const sum = (name: 'prompt_tokens' | 'completion_tokens') => answers.reduce((all, { usage }) => all + usage[name], 0);
    const output = answers.map(({ usage: _usage, ...answer }) => JSON.stringify(answer)).join('\n');
    const file = this.#newFile(
      { name: 'output.jsonl', type: 'application/jsonl', bytes: Buffer.from(output) },
      'batch_output',
      now,
    );
    Object.assign(batch, {
      status: 'completed',
      model: lines[0]?.body.model,
      output_file_id: file.id,
      completed_at: now,
      request_counts: { total: lines.length, completed: lines.length, failed: 0 },
      usage: usageOf(sum('prompt_tokens'), sum('completion_tokens')),
    });
  }

  // ------------------------------------------------------------ the rest

  readonly createJob = ({ body: { fields }, now }: ApiCall): ApiReply => {
    if (typeof fields.model !== 'string') return missing('model');
    if (this.#all.get(fields.training_file)?.object !== 'file')
      return openaiError(400, `Invalid file '${fields.training_file}'.`, { param: 'training_file' });
    return done(
      this.#add('fine_tuning.job', 'ftjob-', now, { ...fields, status: 'queued', result_files: [], trained_tokens: null }),
    );
  };

  readonly createStore = ({ body: { fields }, now }: ApiCall): ApiReply => {
    const unknown = this.#unknownFile(fields.file_ids);
    return (
      unknown ??
      done(
        this.#add('vector_store', 'vs_', now, {
          name: fields.name ?? null,
          status: 'completed',
          file_ids: fields.file_ids ?? [],
        }),
      )
    );
  };

  readonly addToStore = ({ ids: [id = ''], body: { fields }, now }: ApiCall): ApiReply => {
    const store = this.#all.get(id);
    if (!store) return noSuch('VectorStore', id);
    const unknown = this.#unknownFile([fields.file_id]);
    if (unknown) return unknown;
    store.file_ids.push(fields.file_id);
    return done({ id: fields.file_id, object: 'vector_store.file', created_at: now, vector_store_id: id, status: 'completed' });
  };

  readonly searchStore = ({ ids: [id = ''], body: { fields } }: ApiCall): ApiReply => {
    const store = this.#all.get(id);
    if (!store) return noSuch('VectorStore', id);
    const data = (store.file_ids as string[]).map(file_id => ({
      file_id,
      filename: this.#all.get(file_id)?.filename,
      score: 0.5,
      content: [],
    }));
    return done({
      object: 'vector_store.search_results.page',
      search_query: fields.query,
      data,
      has_more: false,
      next_page: null,
    });
  };

  readonly createContainer = ({ body: { fields }, now }: ApiCall): ApiReply =>
    typeof fields.name === 'string'
      ? (this.#unknownFile(fields.file_ids) ??
        done(this.#add('container', 'cntr_', now, { name: fields.name, status: 'running' })))
      : missing('name');

  readonly createConversation = ({ body: { fields }, now }: ApiCall): ApiReply =>
    done(this.#add('conversation', 'conv_', now, { metadata: fields.metadata ?? {} }));

  #unknownFile(ids: unknown): Refusal | undefined {
    const unknown = (Array.isArray(ids) ? ids : []).find(id => this.#all.get(id)?.object !== 'file');
    return unknown === undefined ? undefined : noSuch('File', unknown);
  }

  // ------------------------------------------------------------ of all kinds

  readonly get = ({ ids: [id = ''] }: ApiCall): ApiReply => {
    const thing = this.#all.get(id);
    return thing ? done(shown(thing)) : noSuch('', id);
  };

  readonly cancel = ({ ids: [id = ''] }: ApiCall): ApiReply => {
    const thing = this.#all.get(id);
    return thing ? done(Object.assign(thing, { status: 'cancelled' })) : noSuch('', id);
  };

  readonly delete = ({ ids: [id = ''] }: ApiCall): ApiReply => {
    const thing = this.#all.get(id);
    this.#all.delete(id);
    this.#contents.delete(id);
    return thing
      ? done({ id, object: `${thing.object}${thing.object === 'file' ? '' : '.deleted'}`, deleted: true })
      : noSuch('', id);
  };

  /** Newest first, by `limit` and `after`. */
  readonly list =
    (kind: string) =>
    ({ query }: ApiCall): ApiReply => {
      const all = [...this.#all.values()].filter(thing => thing.object === kind).reverse();
      const after = query.get('after');
      const rest = after === null ? all : all.slice(all.findIndex(({ id }) => id === after) + 1);
      const limit = Number(query.get('limit') ?? 20);
      const data = rest.slice(0, limit).map(shown);
      return done({
        object: 'list',
        data,
        has_more: rest.length > data.length,
        first_id: data[0]?.id ?? null,
        last_id: data.at(-1)?.id ?? null,
      });
    };

  #add(object: string, prefix: string, created_at: number, rest: Json): Thing {
    this.#made++;
    const id = `${prefix}${digestOf(object, String(this.#made), String(created_at)).slice(0, 24)}`;
    const thing: Thing = { ...rest, id, object, created_at };
    this.#all.set(id, thing);
    const [oldest] = this.#all.keys();
    if (this.#all.size > THINGS_MAX && oldest !== undefined) {
      this.#all.delete(oldest);
      this.#contents.delete(oldest);
    }
    return thing;
  }
}

/** What the simulator needs for itself is nobody's business. */
const shown = ({ looks: _looks, ...thing }: Thing): Json => thing;

const PURPOSES = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'];
const BATCH_ENDPOINTS = ['/v1/responses', '/v1/chat/completions', '/v1/embeddings', '/v1/completions', '/v1/moderations'];
