// What the schemas of all kinds share: scalars with their bounds, lists of named things, references, conditions, and `checked`,
// which states a rule once for both readers, the API server (CEL) and compile.
import * as z from 'zod';
import { durationOf } from './quantity.ts';

/** A rule over one object: CEL for the API server, a predicate for compile, one message for both. */
export type Rule<T> = {
  readonly cel: string;
  readonly message: string;
  /** Absent: only the API server can check it (it needs the old object) or compile checks it with more knowledge than the object. */
  readonly holds?: (value: T) => boolean;
  /** The field that is at fault, for the reader of a verdict; absent: the object the rule is over. */
  readonly at?: readonly string[];
};

/** Adds rules to a schema, as zod checks and as `x-kubernetes-validations`. The last step of a schema: later steps would lose its meta. */
export function checked<S extends z.ZodType>(schema: S, description: string, rules: readonly Rule<z.output<S>>[]): S {
  const refined = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (rule.holds && !rule.holds(value)) {
        context.addIssue({ code: 'custom', message: rule.message, path: [...(rule.at ?? [])] });
      }
    }
  });
  const validations = rules.map(({ cel, message }) => ({ rule: cel, message }));
  return refined.meta({ description, 'x-kubernetes-validations': validations }) as unknown as S;
}

/**
 * Registering a schema here says what `meta` says of a copy of it. Every step of a schema is a copy of 2 KiB that stays, so there are few steps:
 * checks go into one `check`.
 */
const documented = z.globalRegistry;

export const block = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape);

// ---------------------------------------------------------------- scalars

export const text = (maxLength: number, description: string) =>
  z.string().check(z.minLength(1), z.maxLength(maxLength)).register(documented, { description });

const matching = (pattern: RegExp, maxLength: number, message: string) =>
  z.string().check(z.maxLength(maxLength, { abort: true }), z.regex(pattern, { message, abort: true }));

/** Go's duration syntax, from milliseconds to hours. */
export const duration = (description: string) =>
  matching(/^([0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h))+$/, 32, 'must be a duration such as 250ms, 30s or 24h').register(documented, {
    description,
  });

/** A duration that a timer waits for: more than nothing, and below the 24.8 days at which timers of Node overflow and fire at once. */
export function timer(description: string, max = '24h') {
  return checked(duration(description), description, [
    {
      cel: `duration(self) > duration('0s') && duration(self) <= duration('${max}')`,
      message: `must be more than 0s and at most ${max}`,
      holds: value => durationOf(value) > 0 && durationOf(value) <= durationOf(max),
    },
  ]);
}

// 9,000,000 US dollars in nano-dollars is the largest amount that stays an exact integer below 2^53 (core/units.ts).
const upToNineMillion = (decimals: number) =>
  new RegExp(`^([0-8]?[0-9]{1,6}(\\.[0-9]{1,${decimals}})?|9000000(\\.0{1,${decimals}})?)$`);

/** An amount in US dollars; nine decimals are exact in nano-dollars. */
export const money = (description: string) =>
  matching(upToNineMillion(9), 17, 'must be a decimal string such as "0.15", at most 9000000, with up to 9 decimals').register(
    documented,
    {
      description,
    },
  );

/** Below a hundred: a price times that stays exact. */
export const multiplier = (description: string) =>
  matching(/^[0-9]{1,2}(\.[0-9]{1,6})?$/, 9, 'must be a decimal string such as "1.75", below 100').register(documented, {
    description,
  });

/** See core/chat/service.ts, where levels are read in small letters. */
export const serviceLevel = (description: string) =>
  matching(/^[a-z0-9][a-z0-9_.-]{0,62}$/, 63, 'must be small letters, digits, "_", "." and "-"').register(documented, {
    description,
  });

/** US dollars for a million tokens; six decimals are exact in pico-dollars a token. */
export const pricePerMTok = (description: string) =>
  matching(upToNineMillion(6), 14, 'must be a decimal string such as "2.50", at most 9000000, with up to 6 decimals').register(
    documented,
    {
      description,
    },
  );

export const ratio = (description: string) =>
  matching(/^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$/, 8, 'must be a decimal string from "0" to "1"').register(documented, {
    description,
  });

export const multiple = (description: string) =>
  matching(/^[0-9]{1,6}(\.[0-9]{1,6})?$/, 13, 'must be a decimal string such as "5" or "1.5"').register(documented, {
    description,
  });

export const count = (min: number, max: number, description: string) =>
  z.int().check(z.gte(min), z.lte(max)).register(documented, { description });

/** DNS label: names of parts (backends, budgets, namespaces). */
const LABEL_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** DNS subdomain: names of objects. */
const OBJECT_NAME_PATTERN = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

export const label = (description: string) =>
  matching(LABEL_PATTERN, 63, 'must be lower-case letters, digits and dashes, at most 63').register(documented, { description });

export const objectName = (description: string) =>
  matching(OBJECT_NAME_PATTERN, 253, 'must be the name of an object: lower-case letters, digits, dashes and dots').register(
    documented,
    {
      description,
    },
  );

/** Without user, query and fragment: credentials belong into a Secret, and paths are appended. */
export const baseURL = (description: string) =>
  matching(
    /^https?:\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/,
    512,
    'must be an http or https URL without user, query and fragment',
  ).register(documented, {
    description,
  });

export const timestamp = (description: string) =>
  matching(
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/,
    40,
    'must be a time such as "2027-01-01T00:00:00Z"',
  )
    .refine(value => !Number.isNaN(Date.parse(value)), 'must be a time that exists')
    .register(documented, { description, format: 'date-time' });

export const flag = (whenAbsent: boolean, description: string) =>
  z.boolean().default(whenAbsent).register(documented, { description });

export const choice = <const T extends readonly [string, ...string[]]>(values: T, description: string) =>
  z.enum(values).register(documented, { description });

// ---------------------------------------------------------------- lists, maps, references

export const list = <T extends z.ZodType>(item: T, maxItems: number, description: string) =>
  z.array(item).max(maxItems).register(documented, { description });

/** A list whose items are told apart by one field, unique without any CEL. */
export function keyedList<T extends z.ZodObject>(item: T, key: string, maxItems: number, description: string, minItems = 0) {
  const distinct = (items: readonly unknown[]) =>
    new Set(items.map(entry => (entry as Record<string, unknown>)[key])).size === items.length;
  return z
    .array(item)
    .check(z.minLength(minItems), z.maxLength(maxItems))
    .refine(distinct, `two entries have the same ${key}`)
    .register(documented, { description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}

export const namedList = <T extends z.ZodObject>(item: T, maxItems: number, description: string, minItems = 0) =>
  keyedList(item, 'name', maxItems, description, minItems);

export function stringMap(maxProperties: number, description: string) {
  return z
    .record(z.string().max(317), z.string().max(256))
    .refine(map => Object.keys(map).length <= maxProperties, `has more than ${maxProperties} entries`)
    .register(documented, { description, maxProperties });
}

export const labelSelector = (description: string) =>
  block({ matchLabels: stringMap(16, 'Labels that must all be there with these values.').default({}) }).register(documented, {
    description,
  });

export const secretRef = (description: string) =>
  block({
    name: objectName('Name of a Secret in the same namespace.'),
    key: text(253, 'Key in the Secret.'),
  }).register(documented, { description });

export const providerRef = (description: string) =>
  block({
    name: objectName('Name of an LLMProvider.'),
    namespace: label('Its namespace. Default: the namespace of this object.').optional(),
  }).register(documented, { description });

/** Which namespaces may use an object, besides its own. */
export const namespaceAdmission = (description: string) =>
  block({
    namespaces: checked(
      block({
        from: choice(
          ['Same', 'All', 'Selector'],
          'Same: the own namespace only. All: every namespace. Selector: those the selector names.',
        ).default('Same'),
        selector: labelSelector('Labels of the namespaces, where from is Selector.').optional(),
      }),
      'The namespaces.',
      [
        {
          cel: "has(self.selector) == (has(self.from) && self.from == 'Selector')",
          message: 'selector is set exactly when from is Selector',
          holds: value => (value.selector !== undefined) === (value.from === 'Selector'),
          at: ['selector'],
        },
      ],
    ).prefault({}),
  }).register(documented, { description });

// ---------------------------------------------------------------- status

export const CONDITION_TYPES = ['Accepted', 'ResolvedRefs', 'Programmed', 'Ready'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

const condition = block({
  type: text(316, 'Which condition: Accepted, ResolvedRefs, Programmed or Ready.'),
  status: choice(['True', 'False', 'Unknown'], 'Whether it holds.'),
  reason: text(1024, 'Why, in one word.'),
  message: z.string().max(32768).register(documented, { description: 'Why, for a person.' }),
  observedGeneration: count(0, Number.MAX_SAFE_INTEGER, 'The generation of the object this condition is about.').optional(),
  lastTransitionTime: timestamp('When the status last changed.'),
});

// What a new object shows until the operator has seen it, so that a dead operator is visible.
const pending = CONDITION_TYPES.map(type => ({
  type,
  status: 'Unknown' as const,
  reason: 'Pending',
  message: 'Waiting for the operator.',
  lastTransitionTime: '1970-01-01T00:00:00Z',
}));

/** The status of a kind: what all have, and its own fields. */
export function statusOf<T extends z.core.$ZodLooseShape>(shape: T) {
  return block({
    observedGeneration: count(0, Number.MAX_SAFE_INTEGER, 'The generation of the object this status is about.').optional(),
    conditions: keyedList(condition, 'type', 8, 'Accepted, ResolvedRefs, Programmed and Ready; all always present.').default(
      pending,
    ),
    ...shape,
  })
    .default({ conditions: pending } as never)
    .register(documented, { description: 'What the operator and the data plane report. Written by the operator only.' });
}
