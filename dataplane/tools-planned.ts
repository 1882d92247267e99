// Backends that may run tools of their own for a request: where a route wants to know prices, those whose price of that is known.
import { type UnknownTool, unknownTool } from '#core/admission/tool-bound.ts';
import { type Failure, failure, ok, type Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { type Exchange, isChat } from './exchange.ts';
import { wireFor } from './providers/index.ts';
import { edited } from './upstream-request.ts';

/** Leaves out what would be refused for its price, so that a backend that is priced has the request. */
export function withToolsPriced(planned: Parsed<Plan> & { ok: true }, exchange: Exchange, body: JsonView): Parsed<Plan> {
  const { value: plan } = planned;
  if (plan.route?.onUnknownPrice !== 'Deny' || !isChat(exchange) || exchange.action !== 'generate') return planned;
  let refusal: Failure | undefined;
  const candidates = plan.candidates.filter(candidate => {
    const unknown = unknownAt(candidate, exchange.frontend.dialect, body);
    if (unknown) refusal ??= unknownToolFailure(unknown, candidate.model);
    return !unknown;
  });
  if (!refusal) return planned;
  return candidates.length === 0 ? { ok: false, failure: refusal } : ok({ ...plan, candidates });
}

const noEdits: ReadonlyMap<string, string | null> = new Map();

function unknownAt(candidate: Candidate, dialect: Parameters<typeof wireFor>[0], body: JsonView): UnknownTool | undefined {
  const { model } = candidate;
  const wire = wireFor(dialect, candidate);
  // A request of another dialect asks for no tool of this provider's.
  if (!model.price || wire?.dialect !== dialect) return undefined;
  const asked = wire.toolsAsked?.(edited(body, noEdits), model);
  return asked && unknownTool(asked, model.price);
}

const WHY: Readonly<Record<UnknownTool['unknown'], string>> = {
  price: 'what a call of it costs is not known',
  number: 'how often it may be called is bounded neither by the request nor by the price (maxToolCalls)',
};

export const unknownToolFailure = ({ tool, param, unknown }: UnknownTool, { name }: ModelEntry): Failure =>
  failure('unknown_price', {
    message: `${param} is a tool that the provider of '${name}' runs and bills (${tool}): ${WHY[unknown]}, and the route does not allow that.`,
    param,
  });
