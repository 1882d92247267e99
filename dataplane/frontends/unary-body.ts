// What the bodies of requests without a conversation have in common.
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { tokens } from '#core/units.ts';
import type { BodyFields } from './body-fields.ts';
import { isOurControl, readControls } from './controls.ts';
import { invalid } from './essentials.ts';
import type { Envelope, UnaryFrontend } from './frontend.ts';

/** Of a body whose text stands in one field. An answer of a model is asked for nowhere. */
export const unaryFields = (texts: string, ...others: readonly string[]): BodyFields => ({
  instructions: [],
  turns: texts,
  tools: [],
  schema: { in: [], mark: '' },
  outputLimit: () => 0,
  parts: { keys: [], image: [], document: [], audio: [] },
  others,
});

/** `metadata` is no field of these wires: what a client says there is for us. */
export function unaryEnvelope(body: JsonView, model: string): Parsed<Envelope> {
  if (body.has('stream') && body.get('stream') === true) return invalid('stream', 'false: the answer comes whole');
  const read = readControls(body);
  if (!read.ok) return read;
  const edits = body.has('metadata') ? new Map(read.value.edits).set('metadata', null) : read.value.edits;
  return ok({ model, stream: false, includeUsage: true, controls: read.value.controls, edits });
}

/** Fields that have no neutral meaning. */
export function extraFields(body: JsonRecord, known: ReadonlySet<string>): JsonRecord {
  const isLeft = ([name, value]: [string, unknown]) =>
    !known.has(name) && !isOurControl(name) && name !== 'metadata' && value !== null;
  return Object.fromEntries(Object.entries(body).filter(isLeft));
}

type Estimate = Parameters<UnaryFrontend['count']>[1];

/** @param besides tokens that were counted by the client */
export const countTexts = async (texts: readonly string[], estimate: Estimate, besides = 0) => ({
  tokens: tokens(besides + (await estimate(texts.join('\n')))),
  texts: texts.length,
});
