// Amazon Bedrock. Anthropic's models are spoken to in their own dialect, and by Converse for who speaks that; all others by Converse.
import type { Wires } from '../provider.ts';
import { claude } from './claude.ts';
import { converse, converseOfClaude } from './converse.ts';
import { embeddingsOf, rerankOf } from './embed.ts';
import { isClaude } from './models.ts';
import type { BedrockConnection } from './target.ts';

const forClaude = [claude, converseOfClaude] as const;
const forOthers = [converse] as const;

export const bedrock: Wires<BedrockConnection> = {
  of: ({ model }) => (isClaude(model) ? forClaude : forOthers),
  unary: { Embeddings: embeddingsOf, Rerank: rerankOf },
};
