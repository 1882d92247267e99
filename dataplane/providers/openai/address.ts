// Where a chat completions request goes, and the headers that prove who sends it.
import { type Address, splitBase, type Target } from '../provider.ts';

export const CHAT_COMPLETIONS = '/chat/completions';

/** `base` is a URL without a trailing slash; it may have a path. */
export function addressBelow(base: string, path: string, headers: Record<string, string>): Address {
  const { origin, prefix } = splitBase(base);
  return { origin, path: `${prefix}${path}`, headers };
}

/** The header that the provider's `auth` names; none where it needs none. */
export function credentialHeaders({ provider, credential }: Pick<Target, 'provider' | 'credential'>): Record<string, string> {
  if (!provider.auth || credential === undefined) return {};
  const { name, prefix } = provider.auth.header;
  return { [name.toLowerCase()]: `${prefix}${credential}` };
}
