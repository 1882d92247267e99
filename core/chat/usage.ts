// What one answer consumed, in the classes of tokens that are priced apart. The one usage record of the whole gateway.
import { type Tokens, tokens } from '../units.ts';
import type { Service } from './service.ts';

/**
 * Token counts of one upstream attempt. The first four are disjoint and add up to the prompt; `output` is the whole
 * completion. `reasoning` and `audioOutput` are parts of `output`; `audioInput` is a part of `inputUncached`.
 * `audioOutput` holds pictures and video too: no model has a price for more than one of them.
 */
export type Usage = {
  readonly inputUncached: Tokens;
  readonly cacheRead: Tokens;
  readonly cacheWrite5m: Tokens;
  readonly cacheWrite1h: Tokens;
  readonly output: Tokens;
  readonly reasoning: Tokens;
  readonly audioInput: Tokens;
  readonly audioOutput: Tokens;
  /** How many requests it is billed as (the search units of a rerank); absent: one. */
  readonly requests?: number;
  /** What is not counted in tokens, where it is billed by that: images, seconds of audio, characters that are read aloud. Absent: none. */
  readonly units?: number;
  /** Of tools that the provider runs itself, where calls were made of any. */
  readonly toolCalls?: ToolCalls;
  /** How it was served, where that is known: some providers have prices by that. */
  readonly service?: Service;
};

/**
 * Tools that a provider runs itself and bills by the call, besides the tokens. Of `codeExecution` a call is a container that code ran in; of
 * `other` it is whatever the provider counts.
 */
export const billedTools = ['webSearch', 'mapsSearch', 'fileSearch', 'codeExecution', 'imageGeneration', 'other'] as const;
export type BilledTool = (typeof billedTools)[number];

/** How often each was called; one that was not is absent. */
export type ToolCalls = Partial<Readonly<Record<BilledTool, number>>>;

const zero = tokens(0);
export const noUsage: Usage = {
  inputUncached: zero,
  cacheRead: zero,
  cacheWrite5m: zero,
  cacheWrite1h: zero,
  output: zero,
  reasoning: zero,
  audioInput: zero,
  audioOutput: zero,
};

/** The disjoint classes of the prompt. */
export const promptClasses = [
  'inputUncached',
  'cacheRead',
  'cacheWrite5m',
  'cacheWrite1h',
] as const satisfies readonly (keyof Usage)[];

export const promptTokens = (u: Usage): Tokens => tokens(u.inputUncached + u.cacheRead + u.cacheWrite5m + u.cacheWrite1h);

export type UsageClass = Exclude<keyof Usage, 'requests' | 'units' | 'toolCalls' | 'service'>;

/** Names of all classes. */
export const usageClasses = Object.keys(noUsage) as readonly UsageClass[];

/** Of two attempts together, as far as it is known of them. */
export function addUsage(one: Usage | undefined, other: Usage | undefined): Usage | undefined {
  if (!one || !other) return one ?? other;
  const sums = usageClasses.map(name => [name, tokens(one[name] + other[name])]);
  const units = (one.units ?? 0) + (other.units ?? 0);
  const calls = toolCallsIn([...callsIn(one), ...callsIn(other)]);
  return { ...(Object.fromEntries(sums) as Usage), ...(units > 0 && { units }), ...calls };
}

const callsIn = ({ toolCalls = {} }: Usage) => Object.entries(toolCalls) as [BilledTool, number][];

/** The field of a usage for calls that are listed one by one, or several at a time; nothing where there are none. */
export function toolCallsIn(calls: Iterable<readonly [BilledTool, number]>): Pick<Usage, 'toolCalls'> {
  const sums: Partial<Record<BilledTool, number>> = {};
  for (const [tool, count] of calls) if (count > 0) sums[tool] = (sums[tool] ?? 0) + count;
  return Object.keys(sums).length > 0 ? { toolCalls: sums } : {};
}
