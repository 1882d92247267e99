// Path and headers of a request to Anthropic.
import { type Address, type AddressOptions, splitBase } from '../provider.ts';
import type { AnthropicTarget } from './target.ts';
import { versionForClient, versionForRequest } from './version.ts';

const paths = { generate: '/v1/messages', 'count-tokens': '/v1/messages/count_tokens' } as const;

export function address(target: AnthropicTarget, { stream, action, client, request }: AddressOptions): Address {
  const { origin, prefix } = splitBase(target.provider.connection.baseURL);
  const says = client?.['anthropic-version'] !== undefined || !request;
  const betas = client?.['anthropic-beta'];
  return {
    origin,
    path: prefix + paths[action],
    headers: {
      accept: stream ? 'text/event-stream' : 'application/json',
      'anthropic-version': says ? versionForClient(target, client ?? {}) : versionForRequest(target, request),
      ...(betas !== undefined && { 'anthropic-beta': String(betas) }),
      ...credentialHeader(target),
    },
  };
}

function credentialHeader({ provider, credential }: AnthropicTarget): Record<string, string> {
  if (credential === undefined) return {};
  const header = provider.auth?.header ?? { name: 'x-api-key', prefix: '' };
  return { [header.name.toLowerCase()]: header.prefix + credential };
}
