// Request controls that come as headers: tags, the threshold of the cache, and LiteLLM's timeout and retries.
import type { IncomingHttpHeaders } from 'node:http';
import { type Millis, millis } from '#core/units.ts';
import type { Controls } from './frontends/frontend.ts';

/** The body's controls with the headers' where the body says nothing. A header that is not a sane number is ignored, as LiteLLM does. */
export function headerControls(headers: IncomingHttpHeaders, controls: Controls): Controls {
  const timeout = headers['x-litellm-timeout'];
  const retries = headers['x-litellm-num-retries'];
  const threshold = headers['x-tollgate-cache-threshold'];
  if (timeout === undefined && retries === undefined && threshold === undefined) return controls;
  return {
    ...controls,
    ...(threshold !== undefined && {
      cache: { ...controls.cache, similarity: strictest(controls.cache?.similarity, threshold) },
    }),
    ...(controls.timeout === undefined && secondsIn(timeout)),
    ...(controls.numRetries === undefined && retriesIn(retries)),
  };
}

function secondsIn(header: string | string[] | undefined): { timeout?: Millis } {
  const seconds = Number(header ?? Number.NaN);
  return seconds > 0 && seconds <= 86_400 ? { timeout: millis(Math.round(seconds * 1000)) } : {};
}

function retriesIn(header: string | string[] | undefined): { numRetries?: number } {
  const count = Number(header ?? Number.NaN);
  return Number.isInteger(count) && count >= 0 && count <= 10 ? { numRetries: count } : {};
}

/** It asks for more certainty: what cannot be read asks for all of it. */
function strictest(inBody: number | undefined, header: string | string[]): number {
  const asked = Number(header);
  return Math.max(inBody ?? 0, asked >= 0 && asked <= 1 && header !== '' ? asked : 1);
}

const TAGS_MAX = 50;
/** Tags go into every row of the cost log: a prompt has no place there. */
const TAG_CHARS_MAX = 256;

/**
 * The request's tags as names and values: `metadata` of the body, then the tag lists. Bounded: what is beyond is left out, a longer
 * text is cut.
 */
export function tagsOf(headers: IncomingHttpHeaders, { metadata, tags }: Controls): Readonly<Record<string, string>> {
  const lists = [headers['x-tollgate-tags'], headers['x-litellm-tags']].filter(h => typeof h === 'string');
  if (lists.length === 0 && tags.length === 0) return bounded(metadata);
  return bounded({ ...metadata, ...tagsOfList([...tags, ...lists.flatMap(list => list.split(','))]) });
}

/** `name=value` or `name:value`; an entry without a value has the value ''. */
export function tagsOfList(entries: readonly string[]): Record<string, string> {
  const tags: Record<string, string> = {};
  for (const entry of entries) {
    const at = entry.search(/[=:]/);
    const name = (at < 0 ? entry : entry.slice(0, at)).trim();
    if (name !== '' && name !== '__proto__') tags[name] = at < 0 ? '' : entry.slice(at + 1).trim();
  }
  return tags;
}

function bounded(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(tags);
  if (
    entries.length <= TAGS_MAX &&
    entries.every(([name, value]) => name.length <= TAG_CHARS_MAX && value.length <= TAG_CHARS_MAX)
  )
    return tags;
  return Object.fromEntries(entries.slice(0, TAGS_MAX).map(entry => entry.map(text => text.slice(0, TAG_CHARS_MAX))));
}
