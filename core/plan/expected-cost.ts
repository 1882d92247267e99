// What a request is expected to cost at a model, to compare models by before anything is sent. No bound and no bill: those are
// core/admission/bound.ts and core/accounting/cost.ts.
import { ratesForPrompt } from '../accounting/cost.ts';
import type { Price } from '../snapshot/snapshot.ts';
import type { RequestNeeds } from './needs.ts';

/** Answers without a limit, whatever the model: the same for all, or a model would look dear for being able to say more. */
const OUTPUT = 1000;

/** Tokens. */
export const expectedOutput = (needs: RequestNeeds): number => needs.maxOutputTokens() ?? OUTPUT;

/** Nano-dollars, with a fraction: no cache hits, no reasoning, no audio, no GPU time. */
export function expectedCost(price: Price, input: number, output: number): number {
  const rates = ratesForPrompt(input, price);
  return (input * rates.input + output * rates.output) / 1000 + rates.perRequest;
}
