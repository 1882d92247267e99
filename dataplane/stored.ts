// Responses that a provider keeps, asked for by their id: read, continued to be read, cancelled, deleted, and what went into them. Each call
// goes to the provider that has it, for the tenant that made it; none is billed, as what it cost is in the row of the request that made it.
import { noUsage } from '#core/chat/usage.ts';
import { type Failure, failure, ok, type Parsed, refuse, statusOf } from '#core/failure.ts';
import { modelOf } from '#core/plan/backends.ts';
import type { ProviderEntry } from '#core/snapshot/snapshot.ts';
import { type AttemptResult, runAttempt } from './attempt.ts';
import { authenticate } from './authenticate.ts';
import { keptRequest } from './background.ts';
import type { LiveConfig } from './config/live.ts';
import type { ChatExchange } from './exchange.ts';
import { STORED_METHODS, type StoredCall } from './frontends/index.ts';
import { notFound, placeUnknown } from './pinned.ts';
import type { Pin } from './pins/pins.ts';
import type { Ports } from './ports.ts';
import { wireFor } from './providers/index.ts';
import type { Keeps, Provider, Target } from './providers/provider.ts';
import { passthroughRelay } from './relay/passthrough.ts';
import { parseJson } from './upstream-request.ts';

export async function serveStored(exchange: ChatExchange, call: StoredCall, ports: Ports): Promise<void> {
  const place = await placeOf(exchange, call, ports);
  const result = place.ok ? await ask(exchange, call, place.value, ports) : place;
  if ('ok' in result) return refused(exchange, result.ok ? failure('internal_error') : result.failure, ports);
  const { client } = exchange;
  if (client.gone || (result.kind === 'answered' && !result.reply)) return;
  if (result.reply) return client.whole(200, headOf(exchange), result.reply.body);
  refused(exchange, result.failure ?? failure('upstream_error'), ports);
}

const headOf = ({ id }: ChatExchange): string[] => ['content-type', 'application/json', 'x-request-id', id];

function refused(exchange: ChatExchange, reason: Failure, ports: Ports): void {
  const { client, frontend, id } = exchange;
  if (client.began) client.breakOff(frontend.encodeStreamError(reason, id));
  else client.whole(statusOf(reason), headOf(exchange), frontend.encodeError(reason, id));
  ports.observer.refused(exchange, reason);
}

type Place = {
  readonly tenant: string;
  readonly wire: Provider & { readonly keeps: Keeps };
  readonly target: Target;
};

async function placeOf({ headers }: ChatExchange, { method, id, below }: StoredCall, ports: Ports): Promise<Parsed<Place>> {
  const config = ports.config.current();
  const key = authenticate(config, headers, ports.digest, ports.now());
  if (!key.ok) return key;
  const methods: readonly string[] = STORED_METHODS[below];
  if (!methods.includes(method))
    return refuse('method_not_allowed', { message: `A stored response takes ${methods.join(' and ')} here.` });
  const { tenant } = key.value.entry;
  const found = await ports.pins.find(tenant, [{ kind: 'response', id }]);
  if (found === 'away') return placeUnknown();
  if (found[0]?.isGuarded && method !== 'DELETE' && below !== '/input_items')
    return refuse('permission_denied', {
      message: 'The route of this response checks answers as they are given: it is not given again.',
    });
  const place = found[0] && targetAt(config, found[0]);
  return place ? ok({ tenant, ...place }) : notFound('response', id);
}

/** undefined: the provider is not there any more, or speaks otherwise now. */
function targetAt(config: LiveConfig, pin: Pin): Omit<Place, 'tenant'> | undefined {
  const provider = config.snapshot.providers[pin.provider];
  const model = provider && (modelOf(provider, pin.model ?? '') ?? anyModel(provider));
  if (!provider || !model) return undefined;
  const wire = wireFor('openai-responses', { provider, model });
  if (!wire.keeps) return undefined;
  const credential = provider.auth && config.credential(provider.auth.credential);
  return { wire: wire as Place['wire'], target: { provider, model, endpoint: pin.endpoint, credential } };
}

/** The one that made it may have been taken out since; what it made is still there. */
const anyModel = ({ models }: ProviderEntry) => models[0];

async function ask(
  exchange: ChatExchange,
  call: StoredCall,
  { tenant, wire, target }: Place,
  ports: Ports,
): Promise<AttemptResult | Parsed<never>> {
  const { method, id, below, query } = call;
  const isStream = new URLSearchParams(query).get('stream') === 'true';
  const { timeouts } = target.provider;
  const result = await runAttempt({
    http: ports.http,
    request: keptRequest(wire.keeps.address(target, id, below), method, query, target),
    limits: { firstToken: timeouts.firstToken, streamIdle: timeouts.streamIdle, request: timeouts.request },
    client: exchange.client,
    ...(isStream && { stream: { relay: relayOf(exchange, wire), framing: undefined, begin: () => begin(exchange) } }),
    read: bytes => {
      const parsed = parseJson(bytes);
      return parsed.ok ? ok({ body: bytes, usage: noUsage, said: undefined, model: undefined, upstreamId: undefined }) : parsed;
    },
    classify: error => wire.classify(error),
    mayDrain: () => false,
    now: ports.now,
    monotonic: ports.monotonic,
  });
  const isGone = result.upstreamStatus === 404;
  if (isGone || (method === 'DELETE' && result.kind === 'answered')) await ports.pins.forget(tenant, { kind: 'response', id });
  return isGone ? notFound('response', id) : result;
}

const relayOf = ({ frontend }: ChatExchange, { streamDecoder, notable }: Provider) =>
  passthroughRelay({
    decoder: streamDecoder(),
    notable,
    hideUsage: false,
    terminator: frontend.terminator,
    filteredIsFailure: false,
    // One that is taken up again may have nothing left to say.
    mayBeEmpty: true,
  });

const begin = ({ client, id }: ChatExchange): void => client.startStream(['x-request-id', id]);
