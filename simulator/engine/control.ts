// What a test may do to a running engine: GET and POST /__simulator/engine, POST /__simulator/engine/occupy.
import type { ControlHandlers } from '../control.ts';
import { flag, integer, type Json, list, mapOf, nullable, number, object, oneOf, type Shape } from '../shape.ts';
import type { Override } from './exposition.ts';
import type { EngineHost } from './host.ts';

/** One step; what is absent stays as it is. */
export type EngineChange = {
  readonly state?: 'serving' | 'sleeping' | 'wedged' | 'stuck' | 'dead' | 'draining';
  /** Of `sleeping`. */
  readonly sleep?: 'weights_offloaded' | 'discard_all';
  /** Numbers of the engines that stand still, of several behind the address; the others work. */
  readonly halt?: readonly number[];
  /** A new process, which loads for so many milliseconds. */
  readonly restart?: { readonly startup?: number };
  /** What the metrics say; each call says all of it, null: the truth. */
  readonly metrics?: {
    readonly overrides?: Readonly<Record<string, Override>>;
    readonly delay?: number;
    readonly status?: number;
  } | null;
  /** Ends what `occupy` began. */
  readonly vacate?: boolean;
};

export type Occupation = { readonly count: number; readonly promptTokens: number; readonly outputTokens: number };

const pattern = object({
  pattern: oneOf('oscillate', 'ramp', 'squarewave'),
  from: number(),
  to: number(),
  period: number(1),
});

const override: Shape = value => {
  if (typeof value === 'number') return undefined;
  return typeof value === 'string' ? oneOf('NaN', 'missing')(value) : pattern(value);
};

const changeShape = object(
  {},
  {
    state: oneOf('serving', 'sleeping', 'wedged', 'stuck', 'dead', 'draining'),
    sleep: oneOf('weights_offloaded', 'discard_all'),
    halt: list(integer(0)),
    restart: object({}, { startup: number(0) }),
    metrics: nullable(object({}, { overrides: mapOf(override, 100), delay: number(0), status: integer(100, 599) })),
    vacate: flag,
  },
);

const occupationShape = object({ count: integer(1, 10_000), promptTokens: integer(1), outputTokens: integer(1) });

/** A sentence when it cannot be done; then nothing was. */
export function changed(host: EngineHost, change: EngineChange): string | undefined {
  const unknown = Object.keys(change.metrics?.overrides ?? {}).find(name => !seriesOf(host).has(name));
  if (unknown) return `there is no series ${unknown} among the names of ${host.settings.names}`;
  const { state, sleep, halt, restart, metrics, vacate } = change;
  if (restart) host.change((replica, now) => replica.restart(now, restart.startup));
  if (state) host.change((replica, now) => replica.enter(state, now, sleep));
  if (halt) host.change((replica, now) => replica.halt(halt, now));
  if (metrics !== undefined) host.setScrape(metrics ?? {});
  if (vacate) host.vacate();
  return undefined;
}

const seriesOf = (host: EngineHost): ReadonlySet<string> =>
  new Set(host.families().flatMap(({ samples }) => samples.map(({ name }) => name)));

export const engineControl = (host: EngineHost): ControlHandlers => ({
  'GET engine': () => ({ status: 200, value: shown(host) }),
  'POST engine': body => {
    const change = parsed(body, changeShape);
    const problem = typeof change === 'string' ? change : changed(host, change as EngineChange);
    return problem === undefined ? { status: 200, value: shown(host) } : { status: 400, value: { error: problem } };
  },
  'POST engine/occupy': body => {
    const asked = parsed(body, occupationShape);
    if (typeof asked === 'string') return { status: 400, value: { error: asked } };
    const { count, promptTokens, outputTokens } = asked as Occupation;
    if (promptTokens + outputTokens > host.settings.maxModelLen)
      return { status: 400, value: { error: `a sequence has at most ${host.settings.maxModelLen} tokens` } };
    return { status: 200, value: { taken: host.occupy(count, promptTokens, outputTokens) } };
  },
});

function shown(host: EngineHost): unknown {
  const { replica, scrape, settings } = host;
  const { engines, sleep, startedAt } = replica.reading(0);
  return {
    state: replica.state,
    sleep,
    startedAt,
    names: settings.names,
    metrics: scrape,
    engines: engines.map(({ histograms: _, ...engine }) => engine),
  };
}

/** The value, or what is wrong with it. */
function parsed(body: string, shape: Shape): Json | string {
  try {
    const value = JSON.parse(body) as Json;
    const problem = shape(value);
    return problem ? `${problem.path.join('.') || 'the body'}: ${problem.kind}` : value;
  } catch {
    return 'the body is no JSON';
  }
}
