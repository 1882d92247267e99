// One call of the administration API: who calls, what was sent, and the table that says which path does what.
import type { FailureDetail } from '#core/failure.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { LiveConfig, LiveKey } from '../config/live.ts';
import type { FigureFilter } from '../costlog/ledger.ts';
import type { AdminPorts } from './admin-ports.ts';

export type Caller = { readonly kind: 'master' } | { readonly kind: 'key'; readonly key: LiveKey };

export type Call = {
  readonly ports: AdminPorts;
  /** One configuration from start to end. */
  readonly config: LiveConfig;
  readonly caller: Caller;
  readonly requestId: string;
  /** `{key}` of the path, decoded. */
  readonly keyInPath: string;
  readonly query: Query;
  /** `{}` for GET and for an empty body. */
  readonly body: JsonRecord;
};

export type Answer = { readonly body: unknown; readonly type?: 'text/csv; charset=utf-8' };

export type AdminRoute = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{key}` stands for one segment. */
  readonly path: string;
  /** `reader`: tenant keys too, for what is their own. */
  readonly access: 'master' | 'reader';
  /** Parameters of the query that it knows; any other is refused, since a filter that is ignored answers a different question. */
  readonly query?: readonly string[];
  readonly handle: (call: Call) => Promise<Parsed<Answer>>;
};

export const invalid = (message: string, detail: FailureDetail = {}) => refuse('invalid_request', { message, ...detail });
export const wrong = (param: string, must: string) => invalid(`${param} must be ${must}.`, { param });

/** What a tenant key may see of the ledger: itself. The master key sees all. */
export const ownFilter = (caller: Caller): FigureFilter =>
  caller.kind === 'master'
    ? {}
    : { tenant: caller.key.entry.tenant, keyName: `${caller.key.entry.namespace}/${caller.key.entry.name}` };

/** `namespace/name`, for the audit. */
export const actorOf = (caller: Caller): string =>
  caller.kind === 'master' ? 'master' : `${caller.key.entry.namespace}/${caller.key.entry.name}`;

/** The parameters of a query, each at most once. */
export class Query {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** undefined: absent or empty. */
  get(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  /** A whole number from `min` to `max`. */
  count(name: string, fallback: number, min: number, max: number): Parsed<number> {
    const text = this.get(name);
    if (text === undefined) return ok(fallback);
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    return value >= min && value <= max ? ok(value) : wrong(name, `a whole number from ${min} to ${max}`);
  }

  flag(name: string, fallback: boolean): Parsed<boolean> {
    const text = this.get(name)?.toLowerCase();
    if (text === undefined) return ok(fallback);
    return text === 'true' || text === 'false' ? ok(text === 'true') : wrong(name, 'true or false');
  }
}

export function readQuery(text: string, known: readonly string[]): Parsed<Query> {
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (!known.includes(name)) {
      const list = known.length > 0 ? `it takes ${known.join(', ')}` : 'it takes none';
      return invalid(`This path has no parameter ${name.slice(0, 64)}: ${list}.`, { param: name.slice(0, 64) });
    }
    if (values.has(name)) return wrong(name, 'given once');
    values.set(name, value);
  }
  return ok(new Query(values));
}
