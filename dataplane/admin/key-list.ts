// GET /key/list: keys by page, as LiteLLM lists them. A tenant key lists itself.
import { ok, type Parsed } from '#core/failure.ts';
import type { KeyObject } from '../ports.ts';
import { type Answer, actorOf, type Call, type Query, wrong } from './call.ts';
import { teamOf } from './key-fields.ts';
import { keyInfo, standingOf, tokenOf } from './key-shape.ts';

const MAX_SIZE = 100;

/** Newest first, as in LiteLLM, where nothing else is asked for. */
const orders: Readonly<Record<string, (key: KeyObject) => number | string>> = {
  created_at: key => key.createdAt ?? 0,
  updated_at: key => key.updatedAt ?? 0,
  key_alias: key => key.spec.alias ?? '',
};

export async function keysPage(call: Call): Promise<Parsed<Answer>> {
  const { query } = call;
  const page = query.count('page', 1, 1, 1_000_000);
  const size = query.count('size', 10, 1, MAX_SIZE);
  const isFull = query.flag('return_full_object', false);
  const withTeam = query.flag('include_team_keys', false);
  for (const read of [page, size, isFull, withTeam]) if (!read.ok) return read;
  if (!page.ok || !size.ok || !isFull.ok) return wrong('page', 'a page');
  const sorted = sortedKeys(call);
  if (!sorted.ok) return sorted;
  const shown = sorted.value.slice((page.value - 1) * size.value, page.value * size.value);
  const keys = isFull.value ? await fullObjects(call, shown) : ok(shown.map(key => tokenOf(call.config, key) ?? key.id));
  if (!keys.ok) return keys;
  const total = sorted.value.length;
  return ok({
    body: { keys: keys.value, total_count: total, current_page: page.value, total_pages: Math.ceil(total / size.value) },
  });
}

function sortedKeys(call: Call): Parsed<readonly KeyObject[]> {
  const { query } = call;
  const order = orders[query.get('sort_by') ?? 'created_at'];
  if (!order) return wrong('sort_by', `one of ${Object.keys(orders).join(', ')}`);
  const direction = query.get('sort_order') ?? 'desc';
  if (direction !== 'asc' && direction !== 'desc') return wrong('sort_order', 'asc or desc');
  const sign = direction === 'asc' ? 1 : -1;
  const compare = (a: KeyObject, b: KeyObject) => {
    const [x, y] = [order(a), order(b)];
    return x === y ? (a.id < b.id ? -1 : 1) : (x < y ? -1 : 1) * sign;
  };
  return ok(visibleKeys(call).filter(filterOf(call, query)).sort(compare));
}

const visibleKeys = ({ caller, ports }: Call): readonly KeyObject[] => {
  const all = ports.keys.list();
  return caller.kind === 'master' ? all : all.filter(key => key.id === actorOf(caller));
};

function filterOf(call: Call, query: Query): (key: KeyObject) => boolean {
  const wanted: readonly [string | undefined, (key: KeyObject) => string | null | undefined][] = [
    [query.get('user_id'), key => key.spec.tags.user],
    [query.get('team_id'), key => teamOf(key.spec)],
    [query.get('organization_id'), key => key.spec.tags.organization],
    [query.get('key_alias'), key => key.spec.alias],
    [query.get('tenant'), key => key.spec.tenant],
    [query.get('key_hash'), key => tokenOf(call.config, key)],
  ];
  return key => wanted.every(([value, of]) => value === undefined || of(key) === value);
}

async function fullObjects(call: Call, keys: readonly KeyObject[]): Promise<Parsed<readonly unknown[]>> {
  const standings = await Promise.all(keys.map(key => standingOf(call.ports, call.config, key)));
  const objects: unknown[] = [];
  for (const [index, standing] of standings.entries()) {
    if (!standing.ok) return standing;
    const key = keys[index]!;
    const token = tokenOf(call.config, key);
    objects.push({ token, ...keyInfo(key, standing.value) });
  }
  return ok(objects);
}
