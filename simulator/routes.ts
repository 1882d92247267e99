// Which wire a path belongs to.
import type { Json } from './shape.ts';
import { invokeOf } from './unary/bedrock.ts';
import { cohereEmbed, cohereRerank } from './unary/cohere.ts';
import { openaiEmbeddings, vllmEmbeddings } from './unary/embeddings.ts';
import { batchEmbedContents, embedContent, predictEmbeddings } from './unary/google.ts';
import { openaiModerations } from './unary/moderations.ts';
import { jinaRerank, vllmRerank } from './unary/rerank.ts';
import { anthropic, countTokensReply } from './wires/anthropic.ts';
import { anthropicOnVertex, vertexCountReply } from './wires/anthropic-vertex.ts';
import { azure, azureVersionRefusal } from './wires/azure.ts';
import { converse, converseStream, countReply, invoke, invokeStream } from './wires/bedrock.ts';
import { gemini, countTokensReply as geminiCountReply, vertex } from './wires/gemini.ts';
import type { Platform } from './wires/gemini-validate.ts';
import { openai } from './wires/openai.ts';
import { openaiCompletions } from './wires/openai-completions.ts';
import { openaiResponses } from './wires/openai-responses.ts';
import { vllm } from './wires/vllm.ts';
import type { Headers, Refusal, Wire } from './wires/wire.ts';

export type Route = { readonly wire: Wire } & (
  | { readonly kind: 'generate'; readonly deployment?: string }
  | { readonly kind: 'count'; readonly reply: (body: unknown, headers: Headers) => Refusal }
  | { readonly kind: 'plain'; readonly reply: (now: number, models: readonly string[]) => Refusal }
  | { readonly kind: 'kept'; readonly id: string; readonly below: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
);

/** `only`: a whole listener is one vLLM server. */
export function routeOf(method: string, url: URL, headers: Headers, only: 'all' | 'vllm'): Route {
  const isVllm = only === 'vllm' || url.pathname.startsWith('/vllm/');
  const path = url.pathname.replace(/^\/vllm(?=\/)/, '');
  const wire = isVllm ? vllm : wireOf(path, headers);
  const routes = isVllm ? vllmRoutes : hostedRoutes;
  let isKnown = false;
  for (const [wanted, pattern, route] of routes) {
    const match = pattern.exec(path);
    if (match && wanted === method) return route(match, url, wire);
    isKnown ||= match !== null;
  }
  if (isKnown) return { wire, kind: 'refused', refusal: wire.refuse(405, `Not allowed to ${method} on ${url.pathname}.`) };
  return { wire, kind: 'refused', refusal: wire.refuse(404, `Invalid URL (${method} ${url.pathname})`) };
}

/** `/v1/models` is a path of two wires: the version header tells Anthropic's clients. */
function wireOf(path: string, headers: Headers): Wire {
  if (path.startsWith('/openai/')) return azure;
  if (path.startsWith('/model/')) return converse;
  if (/^\/v1(?:beta|alpha)?\/models\/[^/]+:/.test(path)) return gemini.whole;
  if (path.includes('/projects/')) return vertex.whole;
  return path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined ? anthropic : openai;
}

type RouteRow = readonly [method: string, path: RegExp, route: (match: RegExpExecArray, url: URL, wire: Wire) => Route];

const modelList = (wire: Wire): Route => ({
  wire,
  kind: 'plain',
  reply: (now, models) => ({ status: 200, body: wire.models(now, models) }),
});

/** What is answered at once, with nothing generated. */
const at = (wire: Wire, reply: (body: unknown) => Refusal): Route => ({ wire, kind: 'count', reply });

const bedrock = (wire: Wire, [, model = '']: RegExpExecArray): Route => ({
  wire,
  kind: 'generate',
  deployment: decodeURIComponent(model),
});

/** What of a model is asked stands behind a colon; a stream of JSON, which `alt=sse` is not given for, nobody here has a use for. */
const googleRoutes = (folder: string, platform: Platform): RouteRow[] => {
  const wires = platform === 'vertex' ? vertex : gemini;
  const path = (method: string) => new RegExp(`^${folder}/models/([^/:]+):${method}$`);
  const named = (match: RegExpExecArray) => decodeURIComponent(match.at(-1)!);
  return [
    ['POST', path('generateContent'), match => ({ wire: wires.whole, kind: 'generate', deployment: named(match) })],
    [
      'POST',
      path('streamGenerateContent'),
      (match, url, wire) =>
        url.searchParams.get('alt') === 'sse'
          ? { wire: wires.stream, kind: 'generate', deployment: named(match) }
          : { wire, kind: 'refused', refusal: wire.refuse(501, 'The simulator streams with alt=sse only.') },
    ],
    [
      'POST',
      path('countTokens'),
      match => ({ wire: wires.whole, kind: 'count', reply: body => geminiCountReply(body, named(match), platform) }),
    ],
    ['POST', path('batchEmbedContents'), match => at(wires.whole, body => batchEmbedContents(body, named(match)))],
    ['POST', path('predict'), () => at(wires.whole, predictEmbeddings)],
    ['POST', path('embedContent'), () => at(wires.whole, embedContent)],
  ];
};

const VERTEX_FOLDER = '/v1(?:beta1)?/projects/[^/]+/locations/[^/]+/publishers';
const claudeRoute = (method: string, wire: Wire): RouteRow => [
  'POST',
  new RegExp(`^${VERTEX_FOLDER}/anthropic/models/([^/:]+):${method}$`),
  match => ({ wire, kind: 'generate', deployment: decodeURIComponent(match[1]!) }),
];

const azureResponses: Wire = { ...openaiResponses, name: 'azure', credential: azure.credential };

/** Other wires than its own, as an engine speaks them: without a credential. */
const { name, needsCredential, missingCredential, trouble, refuse, badJson, headers } = vllm;
const engine = { name, needsCredential, missingCredential, trouble, refuse, badJson, headers };
const vllmResponses: Wire = { ...openaiResponses, ...engine };
const vllmCompletions: Wire = { ...openaiCompletions, ...engine };
/** vLLM has no document blocks in its Messages API. */
const vllmMessages: Wire = {
  ...anthropic,
  ...engine,
  read: (body, headers) =>
    JSON.stringify(body).includes('"type":"document"')
      ? { ok: false, refusal: vllm.refuse(400, "1 validation error: content block of type 'document' is not supported") }
      : anthropic.read(body, headers),
};

/** What is asked of a kept response, by its id. */
const keptRoute = (method: string, below: string): RouteRow => [
  method,
  new RegExp(`^(?:/openai)?/v1/responses/([^/]+)${below}$`),
  ([path, id = '']) => ({
    wire: path.startsWith('/openai/') ? azureResponses : openaiResponses,
    kind: 'kept',
    id: decodeURIComponent(id),
    below,
  }),
];

const hostedRoutes: readonly RouteRow[] = [
  ...googleRoutes('/v1(?:beta|alpha)?', 'gemini'),
  ...googleRoutes(`${VERTEX_FOLDER}/google`, 'vertex'),
  [
    'POST',
    new RegExp(`^${VERTEX_FOLDER}/anthropic/models/count-tokens:rawPredict$`),
    () => ({ wire: anthropicOnVertex.whole, kind: 'count', reply: vertexCountReply }),
  ],
  claudeRoute('rawPredict', anthropicOnVertex.whole),
  claudeRoute('streamRawPredict', anthropicOnVertex.stream),
  ['POST', /^\/v1\/embeddings$/, () => at(openai, openaiEmbeddings)],
  ['POST', /^\/v1\/moderations$/, () => at(openai, openaiModerations)],
  ['POST', /^\/v1\/rerank$/, () => at(openai, jinaRerank)],
  ['POST', /^\/v2\/embed$/, () => at(openai, cohereEmbed)],
  ['POST', /^\/v2\/rerank$/, () => at(openai, cohereRerank)],
  ['POST', /^\/openai\/v1\/embeddings$/, () => at(azure, openaiEmbeddings)],
  [
    'POST',
    /^\/openai\/deployments\/([^/]+)\/embeddings$/,
    ([, deployment = ''], url) => {
      const refusal = azureVersionRefusal(url.searchParams.get('api-version'));
      if (refusal) return { wire: azure, kind: 'refused', refusal };
      // The model's name may be left out of the body, and is ignored where it is given.
      return at(azure, body => openaiEmbeddings({ ...(body as Json), model: decodeURIComponent(deployment) }));
    },
  ],
  ['POST', /^\/v1\/chat\/completions$/, () => ({ wire: openai, kind: 'generate' })],
  ['POST', /^\/v1\/responses$/, () => ({ wire: openaiResponses, kind: 'generate' })],
  ['POST', /^\/openai\/v1\/responses$/, () => ({ wire: azureResponses, kind: 'generate' })],
  ...(['GET', 'DELETE'] as const).map(method => keptRoute(method, '')),
  keptRoute('POST', '/cancel'),
  keptRoute('GET', '/input_items'),
  ['POST', /^\/v1\/completions$/, () => ({ wire: openaiCompletions, kind: 'generate' })],
  ['GET', /^\/v1\/models$/, (_match, _url, wire) => modelList(wire)],
  ['POST', /^\/v1\/messages$/, () => ({ wire: anthropic, kind: 'generate' })],
  ['POST', /^\/v1\/messages\/count_tokens$/, () => ({ wire: anthropic, kind: 'count', reply: countTokensReply })],
  ['POST', /^\/openai\/v1\/chat\/completions$/, () => ({ wire: azure, kind: 'generate' })],
  ['POST', /^\/model\/([^/]+)\/converse$/, match => bedrock(converse, match)],
  ['POST', /^\/model\/([^/]+)\/converse-stream$/, match => bedrock(converseStream, match)],
  [
    'POST',
    /^\/model\/([^/]+)\/invoke$/,
    match => {
      const reply = invokeOf(decodeURIComponent(match[1]!));
      return reply ? at(invoke, reply) : bedrock(invoke, match);
    },
  ],
  ['POST', /^\/model\/([^/]+)\/invoke-with-response-stream$/, match => bedrock(invokeStream, match)],
  [
    'POST',
    /^\/model\/([^/]+)\/count-tokens$/,
    ([, model = '']) => ({ wire: converse, kind: 'count', reply: body => countReply(decodeURIComponent(model), body) }),
  ],
  [
    'POST',
    /^\/openai\/deployments\/([^/]+)\/chat\/completions$/,
    (match, url) => {
      const refusal = azureVersionRefusal(url.searchParams.get('api-version'));
      if (refusal) return { wire: azure, kind: 'refused', refusal };
      return { wire: azure, kind: 'generate', deployment: decodeURIComponent(match[1]!) };
    },
  ],
];

const vllmRoutes: readonly RouteRow[] = [
  ['POST', /^\/v1\/embeddings$/, () => at(vllm, vllmEmbeddings)],
  ['POST', /^(?:\/v1|\/v2)?\/rerank$/, () => at(vllm, vllmRerank)],
  ['POST', /^\/v1\/chat\/completions$/, () => ({ wire: vllm, kind: 'generate' })],
  ['POST', /^\/v1\/responses$/, () => ({ wire: vllmResponses, kind: 'generate' })],
  ['POST', /^\/v1\/completions$/, () => ({ wire: vllmCompletions, kind: 'generate' })],
  ['POST', /^\/v1\/messages$/, () => ({ wire: vllmMessages, kind: 'generate' })],
  ['POST', /^\/v1\/messages\/count_tokens$/, () => ({ wire: vllmMessages, kind: 'count', reply: countTokensReply })],
  ['GET', /^\/v1\/responses\/([^/]+)$/, ([, id = '']) => ({ wire: vllmResponses, kind: 'kept', id, below: '' })],
  ['GET', /^\/v1\/models$/, (_match, _url, wire) => modelList(wire)],
  ['GET', /^\/health$/, () => ({ wire: vllm, kind: 'plain', reply: () => ({ status: 200, body: '' }) })],
  ['GET', /^\/version$/, () => ({ wire: vllm, kind: 'plain', reply: () => ({ status: 200, body: { version: '0.32.0' } }) })],
];
