// A neutral request as a wire of a provider says it, with what was left out.
import assert from 'node:assert/strict';
import type { ChatRequest } from '#core/chat/request.ts';
import type { EncodedRequest, Provider, Target } from '#dataplane/providers/provider.ts';
import { valueIn } from './parsed.ts';

/** Under `dropUnsupported: false` nothing is left out: the request is refused by the name of what would have been. */
export function encodedBy<T extends Target>(
  { encode }: { readonly encode: (request: ChatRequest, target: T) => ReturnType<Provider['encode']> },
  request: ChatRequest,
  targetOf: (dropUnsupported: boolean) => T,
): EncodedRequest {
  const encoded = valueIn(encode(request, targetOf(true)));
  const strict = encode(request, targetOf(false));
  assert.equal(strict.ok, encoded.dropped.length === 0);
  if (!strict.ok) {
    assert.equal(strict.failure.class, 'unsupported_parameter');
    assert.ok(encoded.dropped.includes(strict.failure.param!), `${strict.failure.param} is not among ${encoded.dropped}`);
  }
  return encoded;
}
