// What is changed in a body that already speaks this dialect: the usage chunk is asked for, as no stream could be priced without.
import { isRecord } from '#core/json/record.ts';

type Body = { has(name: string): boolean; get(name: string): unknown };

const nothing: ReadonlyMap<string, string | null> = new Map();
const includeUsage: ReadonlyMap<string, string | null> = new Map([['stream_options', '{"include_usage":true}']]);

export function passthroughEdits(body: Body, stream: boolean): ReadonlyMap<string, string | null> {
  if (!stream) return nothing;
  if (!body.has('stream_options')) return includeUsage;
  const options = body.get('stream_options');
  if (!isRecord(options)) return includeUsage;
  if (options.include_usage === true) return nothing;
  return new Map([['stream_options', JSON.stringify({ ...options, include_usage: true })]]);
}
