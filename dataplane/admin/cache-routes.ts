// DELETE /cache: what is kept of a tenant, of a route, of a tag, or of all is not served again, from the moment of the answer.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { audited } from './audited.ts';
import { type AdminRoute, type Answer, type Call, wrong } from './call.ts';

const SCOPES = ['tenant', 'route', 'tag'] as const;

export const cacheRoutes: readonly AdminRoute[] = [
  { method: 'DELETE', path: '/cache', access: 'master', query: SCOPES, handle: flush },
];

async function flush(call: Call): Promise<Parsed<Answer>> {
  const { ports, query } = call;
  const route = routeOf(call);
  if (!route.ok) return route;
  const [tenant, tag] = [query.get('tenant'), query.get('tag')?.replace(/^([^=:]*):/, '$1=')];
  const scope = {
    ...(tenant !== undefined && { tenant }),
    ...(route.value !== undefined && { route: route.value }),
    ...(tag !== undefined && { tag }),
  };
  return audited(call, 'cache.flush', tenant ?? route.value ?? tag ?? '*', scope, async () => {
    if (await ports.cache.flush(scope)) return ok({ body: { flushed: Object.keys(scope).length > 0 ? scope : 'all' } });
    return refuse('store_unavailable', { message: 'The cache cannot be reached now: nothing was flushed.' });
  });
}

/** `namespace/name`, or the name alone where one route has it. A route that is gone may have left something. */
function routeOf({ query, config }: Call): Parsed<string | undefined> {
  const name = query.get('route');
  if (name === undefined || name.includes('/')) return ok(name);
  const [found, other] = config.snapshot.routes.filter(route => route.name === name);
  return found && !other ? ok(found.id) : wrong('route', 'namespace/name of a route');
}
