// Log probabilities that the simulated model claims of its tokens, in the form that OpenAI's wires have in common.

export type TokenLogprob = { readonly token: string; readonly logprob: number; readonly bytes: readonly number[] };

/** @param top how many alternatives each has */
export const tokenLogprobs = (tokens: readonly string[], top: number): (TokenLogprob & { top_logprobs: TokenLogprob[] })[] =>
  tokens.map(token => ({
    ...tokenLogprob(token, 0),
    top_logprobs: Array.from({ length: top }, (_, rank) => tokenLogprob(token, rank)),
  }));

/** Lower ranks are the same token in other clothes: what counts is that there are as many as were asked for. */
function tokenLogprob(token: string, rank: number): TokenLogprob {
  const text = rank === 0 ? token : `${token}${rank}`;
  return { token: text, logprob: -(0.01 + rank + (token.length % 7) / 100), bytes: [...Buffer.from(text)] };
}
