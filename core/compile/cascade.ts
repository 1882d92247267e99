// The cascade of a route: steps whose backend, and judge, can be used, and a scorer whose address is allowed.
import { durationOf, ratioOf } from '../resources/quantity.ts';
import type { Path } from '../resources/read.ts';
import type { RouteSpec } from '../resources/route.ts';
import type { BackendEntry, Cascade, CascadeStep, ProviderEntry } from '../snapshot/snapshot.ts';
import { tokens } from '../units.ts';
import { type UpstreamPolicy, urlComplaint } from './address.ts';
import { type Resource, specPath } from './objects.ts';
import type { TargetOf } from './targets.ts';

type CascadeSpec = NonNullable<RouteSpec['cascade']>;
type Accept = NonNullable<CascadeSpec['steps'][number]['accept']>;

export type CascadeParts = {
  readonly draft: Resource<'LLMRoute'>['draft'];
  /** Those of the route that can be used. */
  readonly backends: readonly BackendEntry[];
  readonly target: TargetOf;
  readonly providers: ReadonlyMap<string, ProviderEntry>;
  readonly policy: UpstreamPolicy;
};

/** Undefined where fewer than two steps are left: there is nothing to choose then, and the route goes by its priorities. */
export function cascadeOf(spec: CascadeSpec, parts: CascadeParts): Cascade | undefined {
  const steps = spec.steps.flatMap(({ backend, accept }, index) => {
    const entry = parts.backends.find(({ name }) => name === backend);
    if (!entry) return [];
    const isLast = index === spec.steps.length - 1;
    return isLast || !accept ? [{ backend }] : (stepOf(entry, accept, index, parts) ?? []);
  });
  const scorer = spec.scorer && scorerOf(spec.scorer, parts);
  return steps.length < 2 ? undefined : { steps, ...(scorer && { scorer }) };
}

/** Undefined for a step whose judge cannot be asked: an answer that nobody can judge is not asked for. */
function stepOf(backend: BackendEntry, accept: Accept, index: number, parts: CascadeParts): CascadeStep | undefined {
  const at = ['cascade', 'steps', index, 'accept'];
  const { minConfidence, rules, maxOutputTokens, judge: wanted } = accept;
  const type = parts.providers.get(backend.provider)?.connection.type;
  if (minConfidence !== undefined && type === 'Anthropic')
    parts.draft.remark(
      specPath(...at, 'minConfidence'),
      'providers of type Anthropic do not tell how sure their models are: no answer of this step is taken',
    );
  const judge = wanted && judgeOf(wanted, [...at, 'judge'], parts);
  if (wanted && !judge) return undefined;
  return {
    backend: backend.name,
    accept: {
      ...(minConfidence !== undefined && { minConfidence: ratioOf(minConfidence) }),
      rules,
      ...(maxOutputTokens !== undefined && { maxOutputTokens: tokens(maxOutputTokens) }),
      ...(judge && { judge }),
    },
  };
}

type Judge = NonNullable<NonNullable<CascadeStep['accept']>['judge']>;

function judgeOf(
  { providerRef, model, minScore }: NonNullable<Accept['judge']>,
  path: Path,
  parts: CascadeParts,
): Judge | undefined {
  const target = parts.target(providerRef, model, path);
  return target && { ...target, minScore: ratioOf(minScore) };
}

/** Scorers are run by those who run the gateway: the rules of self-hosted providers hold for them. Without one, all begin at the first step. */
function scorerOf(spec: NonNullable<CascadeSpec['scorer']>, { draft, policy }: CascadeParts): Cascade['scorer'] {
  const complaint = urlComplaint(spec.url, policy, 'OpenAICompatible');
  if (complaint !== undefined) {
    draft.fail('ResolvedRefs', 'RefNotPermitted', specPath('cascade', 'scorer', 'url'), complaint);
    return undefined;
  }
  const { origin, pathname } = new URL(spec.url);
  return { origin, path: pathname, threshold: ratioOf(spec.threshold), timeout: durationOf(spec.timeout) };
}
