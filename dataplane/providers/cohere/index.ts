// Cohere's own forms of what is no conversation, for those who serve its models: its own API, and Bedrock.
export { decodeEmbeddings, embedBody } from './embed.ts';
export { decodeRanking, rerankBody } from './rerank.ts';
