// How a Redis is named in one line of text: one node (`redis://`, `rediss://`, `unix:/path`), a cluster (`redis+cluster://a:1,b:2`, or any
// list with commas), or a primary behind sentinels (`redis+sentinel://a:26379,b:26379/<primary>/<db>`).
export type RedisPlace = {
  readonly kind: 'single' | 'cluster' | 'sentinel';
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** A unix socket, instead of `nodes`. */
  readonly path?: string;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** What the sentinels call the primary. */
  readonly primary?: string;
};

const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26379;

/** Throws a TypeError that does not repeat the text: it may hold a password. */
export function readRedisUrl(text: string): RedisPlace {
  if (text.startsWith('unix:')) return { kind: 'single', nodes: [], path: text.replace(/^unix:(\/\/)?/, ''), tls: false, db: 0 };
  const parts = /^(redis|rediss)(?:\+(cluster|sentinel))?:\/\/(?:([^@/]*)@)?([^@/]+)(?:\/(.*))?$/.exec(text);
  if (parts === null)
    throw new TypeError('not the URL of a Redis: redis://, rediss://, redis+cluster://, redis+sentinel:// or unix:');
  const [, scheme, named, login, hosts, path = ''] = parts;
  const kind = named === 'sentinel' ? 'sentinel' : named === 'cluster' || hosts!.includes(',') ? 'cluster' : 'single';
  const [primary, db] = kind === 'sentinel' ? path.split('/') : [undefined, path];
  return {
    kind,
    nodes: hosts!.split(',').map(host => readNode(host, kind === 'sentinel' ? SENTINEL_PORT : DEFAULT_PORT)),
    tls: scheme === 'rediss',
    ...readLogin(login),
    db: readDatabase(db),
    ...(kind === 'sentinel' && { primary: primary || 'mymaster' }),
  };
}

/** The brackets of IPv6 addresses go. */
function readNode(text: string, defaultPort: number): { host: string; port: number } {
  const url = new URL(`redis://${text.trim()}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? defaultPort : Number(url.port) };
}

function readLogin(text: string | undefined): { username?: string; password?: string } {
  if (!text) return {};
  const colon = text.indexOf(':');
  if (colon < 0) return { username: decodeURIComponent(text) };
  const username = decodeURIComponent(text.slice(0, colon));
  return { ...(username !== '' && { username }), password: decodeURIComponent(text.slice(colon + 1)) };
}

function readDatabase(text = ''): number {
  const db = Number(text.split('?')[0]);
  return Number.isSafeInteger(db) && db >= 0 ? db : 0;
}
