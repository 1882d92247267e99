// The endpoints by which a test steers the simulator and asks what reached it: /__simulator/{faults,requests,bill}, and an engine's own.
import type { ServerResponse } from 'node:http';
import { type FaultCall, faultNamed, parseFault } from './faults.ts';
import type { Bills, Requests } from './record.ts';

export type FaultRule = {
  readonly match?: { readonly model?: string; readonly path?: string; readonly times?: number };
  readonly fault: string;
};

/** By method and path below `/__simulator/`, such as `GET bill`. */
export type ControlHandlers = Readonly<Record<string, (body: string) => { readonly status: number; readonly value: unknown }>>;

type Standing = { readonly rule: FaultRule; readonly call: FaultCall; left: number };

const maxRules = 100;

export class Control {
  readonly #rules: Standing[] = [];
  readonly #requests: Requests;
  readonly #bills: Bills;
  readonly #handlers: ControlHandlers;

  constructor(requests: Requests, bills: Bills, more: ControlHandlers = {}) {
    this.#requests = requests;
    this.#bills = bills;
    this.#handlers = { ...this.#own, ...more };
  }

  /** False when the fault is unknown or there are too many rules. */
  add(rule: FaultRule): boolean {
    const call = parseFault(rule.fault);
    if (!faultNamed(call.name) || this.#rules.length >= maxRules) return false;
    // A rule without end that resets connections would also keep its author from clearing it.
    const forever = call.name === 'reset-before' ? 1 : Number.POSITIVE_INFINITY;
    this.#rules.push({ rule, call, left: rule.match?.times ?? forever });
    return true;
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** The first rule that fits, used up by one. */
  faultFor(model: string | undefined, path: string): FaultCall | undefined {
    return this.#take(
      ({ rule: { match = {} }, call }) =>
        call.name !== 'reset-before' &&
        (match.model === undefined || match.model === model) &&
        (match.path === undefined || path.startsWith(match.path)),
    );
  }

  resetsConnection(): boolean {
    return this.#take(({ call }) => call.name === 'reset-before') !== undefined;
  }

  #take(fits: (standing: Standing) => boolean): FaultCall | undefined {
    const index = this.#rules.findIndex(fits);
    const standing = this.#rules[index];
    if (!standing) return undefined;
    standing.left -= 1;
    if (standing.left <= 0) this.#rules.splice(index, 1);
    return standing.call;
  }

  serve(method: string, path: string, body: string, response: ServerResponse): void {
    const handler = this.#handlers[`${method} ${path.slice('/__simulator/'.length)}`];
    const { status, value } = handler?.(body) ?? { status: 404, value: { error: `no such control endpoint: ${method} ${path}` } };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  }

  readonly #own: ControlHandlers = {
    'GET requests': () => ({ status: 200, value: { count: this.#requests.count, requests: this.#requests.list() } }),
    'DELETE requests': () => {
      this.#requests.clear();
      return cleared;
    },
    'GET bill': () => ({ status: 200, value: this.#bills.all() }),
    'DELETE bill': () => {
      this.#bills.clear();
      return cleared;
    },
    'POST faults': body => {
      const rule = ruleIn(body);
      return rule && this.add(rule)
        ? { status: 201, value: rule }
        : { status: 400, value: { error: 'not a rule, an unknown fault, or more than 100 rules' } };
    },
    'GET faults': () => ({
      status: 200,
      value: this.#rules.map(({ rule, left }) => ({ ...rule, left: Number.isFinite(left) ? left : null })),
    }),
    'DELETE faults': () => {
      this.clear();
      return cleared;
    },
  };
}

const cleared = { status: 200, value: { cleared: true } };

function ruleIn(body: string): FaultRule | undefined {
  try {
    const rule = JSON.parse(body) as FaultRule;
    return typeof rule?.fault === 'string' ? rule : undefined;
  } catch {
    return undefined;
  }
}
