// The hooks of a route. One that cannot be asked stays, and counts as one that failed: what it would have kept from happening must not
// happen because of a typing error.
import { durationOf } from '../resources/quantity.ts';
import type { RouteSpec } from '../resources/route.ts';
import type { Hook, HookHeader } from '../snapshot/snapshot.ts';
import { urlComplaint } from './address.ts';
import { type Context, credentialRef, secretValue } from './context.ts';
import { type Resource, specPath } from './objects.ts';

type Route = Resource<'LLMRoute'>;
type HookSpec = RouteSpec['hooks'][number];
type HTTPSpec = NonNullable<HookSpec['http']>;

export const hooksOf = (route: Route, context: Context): readonly Hook[] =>
  route.spec.hooks.map((hook, index) => {
    const { name, when, mode, holdStream, sensitiveData } = hook;
    const http = hook.http && httpOf(hook.http, index, route, context);
    return {
      name,
      when,
      mode,
      holdStream,
      onFailure: hook.http?.onFailure ?? 'Allow',
      ...(http && { http }),
      ...(sensitiveData && { sensitiveData }),
    };
  });

/** They are run by those who run the gateway: the rules of self-hosted providers hold for them. */
function httpOf(spec: HTTPSpec, index: number, route: Route, context: Context): Hook['http'] {
  const complaint = urlComplaint(spec.url, context.policy, 'OpenAICompatible');
  if (complaint !== undefined) {
    route.draft.fail('ResolvedRefs', 'RefNotPermitted', specPath('hooks', index, 'http', 'url'), complaint);
    return undefined;
  }
  const { origin, pathname } = new URL(spec.url);
  return {
    origin,
    path: pathname,
    headers: spec.headers.map((header, at) => headerOf(header, ['hooks', index, 'http', 'headers', at], route, context)),
    timeout: durationOf(spec.timeout),
    maxBodyBytes: spec.maxBodyBytes,
    window: spec.window,
  };
}

function headerOf(
  { name, value, secretRef }: HTTPSpec['headers'][number],
  path: readonly (string | number)[],
  { namespace, draft }: Route,
  { objects, credentials }: Context,
): HookHeader {
  const lower = name.toLowerCase();
  const before = { name: lower, value: value ?? '' };
  if (!secretRef) return before;
  const credential = credentialRef(namespace, secretRef);
  const secret = secretValue(objects, namespace, secretRef);
  if (secret.ok) credentials.set(credential, secret.value);
  else draft.fail('ResolvedRefs', secret.reason, specPath(...path, 'secretRef'), secret.message);
  return { ...before, credential };
}
