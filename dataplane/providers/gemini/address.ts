// Path and headers of a request: at Google's own API by key, at Vertex AI by the identity of the surroundings or by a token of one's own.
import { type Address, type AddressOptions, type CloudIdentities, splitBase, type Unsigned } from '../provider.ts';
import type { GeminiTarget } from './target.ts';

type Publisher = 'google' | 'anthropic';

/**
 * @param model a name, or a path below the API's root where a model is one of one's own: `tunedModels/x`, `endpoints/123`
 * @param method with what follows it: `streamGenerateContent?alt=sse`
 */
export function addressOf(
  target: GeminiTarget,
  publisher: Publisher,
  model: string,
  method: string,
  headers: Record<string, string>,
): Address {
  const { baseURL, vertex } = target.provider.connection;
  const { origin, prefix } = splitBase(baseURL);
  const root = vertex ? `/${vertexVersions[publisher]}/projects/${vertex.project}/locations/${vertex.location}` : '/v1beta';
  const folder = model.includes('/') ? '' : vertex ? `/publishers/${publisher}/models` : '/models';
  const path = `${prefix}${root}${folder}/${model.split('/').map(segment).join('/')}:${method}`;
  return { origin, path, headers: { ...headers, ...credentialHeader(target) } };
}

/** Those of Google's and Anthropic's own SDKs. */
const vertexVersions: Readonly<Record<Publisher, string>> = { google: 'v1beta1', anthropic: 'v1' };

/** Versions of models stand behind an `@`, which a path may have as it is. */
const segment = (text: string): string => encodeURIComponent(text).replaceAll('%40', '@');

const methods = { generate: 'generateContent', 'count-tokens': 'countTokens' } as const;

export function address(target: GeminiTarget, { stream, action }: AddressOptions): Address {
  const method = stream && action === 'generate' ? 'streamGenerateContent?alt=sse' : methods[action];
  return addressOf(target, 'google', target.model.upstreamName, method, acceptOf(stream));
}

export const acceptOf = (stream: boolean): Record<string, string> => ({
  accept: stream ? 'text/event-stream' : 'application/json',
});

function credentialHeader({ provider, credential }: GeminiTarget): Record<string, string> {
  if (credential === undefined) return {};
  const header = provider.auth?.header ?? { name: 'x-goog-api-key', prefix: '' };
  return { [header.name.toLowerCase()]: header.prefix + credential };
}

/** Without a credential of the resource's own: a token for who this process is. */
export async function authorize({ headers }: Unsigned, { provider }: GeminiTarget, identities: CloudIdentities): Promise<void> {
  if (provider.connection.vertex && !provider.auth) headers.authorization = `Bearer ${await identities.google()}`;
}
