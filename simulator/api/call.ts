// One request to the rest of OpenAI's API, and what it is answered with.
import { isRecord, type Json } from '../shape.ts';
import { openaiError } from '../wires/openai-errors.ts';
import type { Refusal } from '../wires/wire.ts';

export type ApiFile = { readonly name: string; readonly type: string; readonly bytes: Buffer };

export type ApiBody = {
  /** Of a form: texts; of a name that came more than once, a list. */
  readonly fields: Json;
  readonly files: readonly { readonly field: string; readonly file: ApiFile }[];
};

export type ApiCall = {
  /** Groups of its path. */
  readonly ids: readonly string[];
  readonly query: URLSearchParams;
  readonly body: ApiBody;
  /** Seconds since the epoch. */
  readonly now: number;
};

/** An answer that is no JSON: pieces of it, one after the other, as `type`. */
export type Flowing = { readonly status: 200; readonly type: string; readonly pieces: readonly (string | Buffer)[] };
export type ApiReply = Refusal | Flowing;

export const isFlowing = (reply: ApiReply): reply is Flowing => 'pieces' in reply;

export const done = (body: unknown): Refusal => ({ status: 200, body });

/** Undefined: it is neither a form nor JSON. A body of no bytes has no fields. */
export async function readApiBody(type: string, bytes: Buffer): Promise<ApiBody | undefined> {
  if (bytes.length === 0) return { fields: {}, files: [] };
  try {
    return /^multipart\//i.test(type) ? await formOf(type, bytes) : jsonOf(bytes);
  } catch {
    return undefined;
  }
}

function jsonOf(bytes: Buffer): ApiBody | undefined {
  const fields: unknown = JSON.parse(bytes.toString());
  return isRecord(fields) ? { fields: fields as Json, files: [] } : undefined;
}

/** Node's own reader of forms. */
async function formOf(type: string, bytes: Buffer): Promise<ApiBody> {
  const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData();
  const fields: Record<string, unknown> = {};
  const files: { field: string; file: ApiFile }[] = [];
  for (const [name, value] of form.entries()) {
    const field = name.replace(/\[\]$/, '');
    if (typeof value === 'string') fields[field] = field in fields ? [fields[field], value].flat() : value;
    else files.push({ field, file: { name: value.name, type: value.type, bytes: Buffer.from(await value.arrayBuffer()) } });
  }
  return { fields: fields as Json, files };
}

export const missing = (param: string): Refusal =>
  openaiError(400, `Missing required parameter: '${param}'.`, { param, code: 'missing_required_parameter' });

export const noSuch = (what: string, id: string): Refusal => openaiError(404, `No such ${what} object: ${id}`, { param: 'id' });

/** As Responses and batches tell it, of tokens that were neither cached nor thought. */
export const usageOf = (input_tokens: number, output_tokens: number) => ({
  input_tokens,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: input_tokens + output_tokens,
});
