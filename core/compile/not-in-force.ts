// The fields that are accepted and do nothing yet. A verdict names those that an object sets, so that none is silently ignored.
// Whoever builds the behaviour deletes the line.
import type { Kind } from '../resources/index.ts';

/** `[]` stands for every item of a list. `unless`: the value that asks for nothing, which the API server may have filled in. */
type Later = { readonly path: string; readonly unless?: unknown; readonly unlessIt?: (value: unknown) => boolean };

/** A guard that only warns is in force; one that denies, as it does by default, is not. */
const isWarning = (guard: unknown): boolean =>
  typeof guard === 'object' &&
  guard !== null &&
  'onExceeded' in guard &&
  guard.onExceeded === 'Warn' &&
  !('budgetPerHour' in guard);

const later: Readonly<Record<Kind, readonly Later[]>> = {
  LLMProvider: [
    { path: 'gemini' },
    { path: 'bedrock' },
    { path: 'vLLM.serviceRef' },
    { path: 'vLLM.podSelector' },
    { path: 'vLLM.engine', unless: 'vLLM' },
    { path: 'vLLM.metricsPath', unless: '/metrics' },
    { path: 'locality' },
    { path: 'models[].capabilities', unless: ['Chat', 'Tools', 'JSONSchema'] },
    { path: 'models[].tier', unless: 'Standard' },
    { path: 'circuitBreaker' },
    { path: 'probes' },
  ],
  LLMRoute: [
    { path: 'latency' },
    { path: 'affinity' },
    { path: 'autoWeight' },
    { path: 'retries.budgetPercent', unless: 20 },
    { path: 'fallback.allowDowngrade', unless: false },
    { path: 'fallback.costGuard', unlessIt: isWarning },
    { path: 'fallback.midStream', unless: 'Fail' },
    { path: 'hedge' },
    { path: 'cascade' },
    { path: 'semantic' },
    { path: 'catchAllAnswer.staleCache', unless: false },
    { path: 'cache' },
  ],
  TenantKey: [{ path: 'rotation' }, { path: 'exposeSimilarity', unless: true }],
};

/** Strategies that are in force; any other serves as Weighted until it is built. */
const STRATEGIES_IN_FORCE = ['Weighted', 'RoundRobin'];

/** Paths below the object, such as `spec.limits`, of what `spec` sets. */
export function notInForce(kind: Kind, spec: unknown): readonly string[] {
  const asksFor = ({ path, unless, unlessIt }: Later) =>
    valuesAt(spec, path.split('.')).some(value => !isSame(value, unless) && !unlessIt?.(value));
  const paths = later[kind].filter(asksFor);
  const named = paths.map(({ path }) => `spec.${path}`);
  return kind === 'LLMRoute' && hasLaterStrategy(spec) ? ['spec.strategy', ...named] : named;
}

function hasLaterStrategy(spec: unknown): boolean {
  return valuesAt(spec, ['strategy']).some(strategy => !STRATEGIES_IN_FORCE.includes(String(strategy)));
}

function valuesAt(value: unknown, [step, ...rest]: readonly string[]): readonly unknown[] {
  if (step === undefined) return value === undefined ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  const name = step.replace('[]', '');
  const child = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  if (!step.endsWith('[]')) return valuesAt(child, rest);
  return Array.isArray(child) ? child.flatMap(item => valuesAt(item, rest)) : [];
}

const isSame = (value: unknown, other: unknown): boolean => JSON.stringify(value) === JSON.stringify(other);
