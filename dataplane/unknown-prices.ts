// What a request asks for that nobody knows the price of, besides its tokens: tools that a provider runs itself, and how it is to be served.
// Where a route wants to know prices, the backends without them are left out.
import { unknownLevel } from '#core/accounting/service-price.ts';
import { unknownTool } from '#core/admission/tool-bound.ts';
import { type Failure, failure, ok, type Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { type Exchange, isChat } from './exchange.ts';
import { wireFor } from './providers/index.ts';
import { addConfigured, edited, type Prepared } from './upstream-request.ts';

/** Leaves out what would be refused for its price, so that a backend that is priced has the request. */
export function withExtrasPriced(planned: Parsed<Plan> & { ok: true }, exchange: Exchange, body: JsonView): Parsed<Plan> {
  const { value: plan } = planned;
  if (plan.route?.onUnknownPrice !== 'Deny' || !isChat(exchange) || exchange.action !== 'generate') return planned;
  let refusal: Failure | undefined;
  const candidates = plan.candidates.filter(candidate => {
    const unknown = unpricedAt(candidate, exchange.frontend.dialect, body);
    refusal ??= unknown;
    return !unknown;
  });
  if (!refusal) return planned;
  return candidates.length === 0 ? { ok: false, failure: refusal } : ok({ ...plan, candidates });
}

function unpricedAt(candidate: Candidate, dialect: Parameters<typeof wireFor>[0], body: JsonView): Failure | undefined {
  const { model } = candidate;
  const wire = wireFor(dialect, candidate);
  // What a request of another dialect asks for is known when it is translated.
  if (!model.price || wire?.dialect !== dialect) return undefined;
  const edits = new Map<string, string | null>();
  addConfigured(edits, candidate);
  const fields = edited(body, edits);
  return unpriced({ tools: wire.toolsAsked?.(fields, model), service: wire.serviceAsked?.(fields) }, model);
}

/** Why nobody knows what it costs. */
export function unpriced({ tools, service }: Pick<Prepared, 'tools' | 'service'>, model: ModelEntry): Failure | undefined {
  const { price, name } = model;
  const tool = tools && price && unknownTool(tools, price);
  const level = service && price && unknownLevel(service, price);
  if (tool)
    return failure('unknown_price', {
      message: `${tool.param} is a tool that the provider of '${name}' runs and bills (${tool.tool}): ${WHY[tool.unknown]}, and the route does not allow that.`,
      param: tool.param,
    });
  if (level)
    return failure('unknown_price', {
      message: `${level.param}: what '${name}' costs at '${level.level}' is not known (serviceTiers of its price), and the route does not allow that.`,
      param: level.param,
    });
  return undefined;
}

const WHY = {
  price: 'what a call of it costs is not known',
  number: 'how often it may be called is bounded neither by the request nor by the price (maxToolCalls)',
} as const;
