// Which fields of a dialect's body say what: for those that look at a body without decoding it.
import type { JsonView } from '#core/json/view.ts';

export type BodyFields = {
  /** What stands before the conversation: system prompt, instructions. */
  readonly instructions: readonly string[];
  /** The conversation itself. */
  readonly turns: string;
  /** The model's turn that says this, as one more of `turns`, where that is a list. Absent: nothing goes on with a broken answer. */
  readonly spokenTurn?: (text: string) => Readonly<Record<string, unknown>>;
  /** Lists of tools; an empty one offers none. */
  readonly tools: readonly string[];
  /** Where an answer by a schema is asked for, and what stands there then (with quotes, as in the body). */
  readonly schema: { readonly in: readonly string[]; readonly mark: string };
  /** Most tokens of an answer, as the body says. */
  outputLimit(body: JsonView): number | undefined;
  readonly parts: PartMarks;
  /** Other fields that the gateway acts on. */
  readonly others: readonly string[];
};

/** How parts of a turn that are no text are told by the bytes: a string that begins so, as the value of one of the keys (with quotes, as in the body). */
export type PartMarks = {
  readonly keys: readonly string[];
  readonly image: readonly string[];
  readonly document: readonly string[];
  readonly audio: readonly string[];
};

/** Of dialects whose parts have a `type`. */
export const typedParts: PartMarks = {
  keys: ['"type"'],
  image: ['"image', '"input_image'],
  document: ['"document', '"file', '"input_file'],
  audio: ['"input_audio'],
};

/** The first of these top-level fields that is a number above 0. */
export const limitIn =
  (...names: readonly string[]) =>
  ({ fields, bytes }: JsonView): number | undefined => {
    for (const name of names) {
      const field = fields.get(name);
      const limit = field && Number(bytes.toString('latin1', field.start, field.end));
      if (limit !== undefined && limit > 0) return limit;
    }
    return undefined;
  };

/** All names of a dialect. */
export const fieldNames = ({ instructions, turns, tools, schema, others }: BodyFields): readonly string[] => [
  ...instructions,
  turns,
  ...tools,
  ...schema.in,
  ...others,
];
