// /key/*: making, reading and changing keys. Every change is on record before it is made.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { LiveConfig } from '../config/live.ts';
import type { KeyChange, KeyObject } from '../ports.ts';
import { audited } from './audited.ts';
import { type AdminRoute, type Answer, actorOf, type Call, invalid, wrong } from './call.ts';
import { type Asked, changeOf, noteAnnotation, noteOf, readFields } from './key-fields.ts';
import { keysPage } from './key-list.ts';
import { keyInfo, settingsOf, standingOf, tokenOf } from './key-shape.ts';

export const keyRoutes: readonly AdminRoute[] = [
  { method: 'POST', path: '/key/generate', access: 'master', handle: generate },
  { method: 'GET', path: '/key/info', access: 'reader', query: ['key'], handle: info },
  {
    method: 'GET',
    path: '/key/list',
    access: 'reader',
    query: [
      'page',
      'size',
      'user_id',
      'team_id',
      'organization_id',
      'key_alias',
      'key_hash',
      'tenant',
      'return_full_object',
      'include_team_keys',
      'sort_by',
      'sort_order',
    ],
    handle: keysPage,
  },
  { method: 'POST', path: '/key/update', access: 'master', handle: update },
  { method: 'POST', path: '/key/delete', access: 'master', handle: remove },
  { method: 'POST', path: '/key/block', access: 'master', handle: call => block(call, true) },
  { method: 'POST', path: '/key/unblock', access: 'master', handle: call => block(call, false) },
  { method: 'POST', path: '/key/{key}/regenerate', access: 'master', handle: regenerate },
  { method: 'POST', path: '/key/{key}/reset_spend', access: 'master', handle: resetSpend },
];

const DEFAULT_TENANT = 'default';
const DEFAULT_NAMESPACE = 'default';
const MAX_TENANT = 128;
const MAX_DELETED = 100;
/** Earlier secrets that one key may have at a time. */
const MAX_PREVIOUS = 4;

// ---------------------------------------------------------------- generate

async function generate(call: Call): Promise<Parsed<Answer>> {
  const { ports, config, body } = call;
  const asked = readFields(body, 'generate', ports.now());
  if (!asked.ok) return asked;
  const tenant = asked.value.tenant ?? asked.value.tags.team ?? DEFAULT_TENANT;
  if (tenant.length > MAX_TENANT) return wrong('team_id', `a string of 1 to ${MAX_TENANT} characters: it is the tenant`);
  const secret = asked.value.secret ?? newSecret(call);
  const taken = takenAlready(call, asked.value, secret);
  if (taken) return taken;
  const change = changeOf(asked.value, undefined);
  if (!change.ok) return change;
  const name = newName(asked.value, call);
  const namespace = asked.value.namespace ?? ownerOf(config, tenant) ?? DEFAULT_NAMESPACE;
  const spec = withoutAbsent({ tenant, ...change.value.spec, digest: `sha256:${ports.digest(secret)}` });
  const annotations = noteAnnotation({ ...noteFrom(change.value), ...nameNote(secret) });
  const made = await audited(call, 'key.generate', `${namespace}/${name}`, changed(change.value, { tenant }), () =>
    ports.keys.create({ namespace, name, spec, annotations }),
  );
  return made.ok ? ok({ body: generated(call, made.value, secret, asked.value) }) : made;
}

/** One secret, one key; one alias, one key: updates and removals name keys by both. */
function takenAlready(call: Call, { spec }: Asked, secret: string | undefined) {
  const digest = secret === undefined ? undefined : call.ports.digest(secret);
  if (
    secret !== undefined &&
    (call.config.key(digest!) || call.ports.isMasterKey({ 'x-api-key': secret }) || keyOf(call, secret))
  )
    return invalid('There is such a key already.', { status: 409, param: 'key' });
  if (typeof spec.alias === 'string' && call.ports.keys.list().some(key => key.spec.alias === spec.alias))
    return invalid(`There is a key with the alias ${spec.alias} already.`, { param: 'key_alias' });
  return undefined;
}

const newSecret = ({ ports }: Call): string => `sk-${ports.randomBytes(32).toString('base64url')}`;

/** Never used before: what a key spent belongs to its name, so a name that came back would bring its costs back. */
function newName({ spec }: Asked, { ports }: Call): string {
  const alias = typeof spec.alias === 'string' ? spec.alias : 'key';
  const plain = alias
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${plain || 'key'}-${ports.randomBytes(5).toString('hex')}`;
}

/** A tenant's name belongs to one namespace. */
const ownerOf = ({ snapshot }: LiveConfig, tenant: string): string | undefined =>
  snapshot.keys.find(key => key.tenant === tenant)?.namespace;

/** Four characters of a long random secret tell nothing of use about the others; of a chosen one they might. */
const nameNote = (secret: string) => (secret.length >= 40 ? { keyName: `sk-...${secret.slice(-4)}` } : {});

const noteFrom = ({ annotations }: KeyChange) => noteOf({ annotations: (annotations ?? {}) as Record<string, string> });

const withoutAbsent = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The secret, for the only time. */
function generated(call: Call, key: KeyObject, secret: string, { ignored }: Asked): Record<string, unknown> {
  const token = call.ports.digest(secret);
  return {
    ...settingsOf(key),
    spend: 0,
    key: secret,
    token,
    token_id: token,
    ...(ignored.length > 0 && { ignored }),
    ...weakness(secret),
  };
}

/** 128 random bits in base64url have 22 characters. */
const weakness = (secret: string) =>
  secret.length < 25 ? { warnings: ['The key is short: below 128 random bits it can be guessed.'] } : {};

// ---------------------------------------------------------------- reading

async function info(call: Call): Promise<Parsed<Answer>> {
  const { ports, config, caller, query } = call;
  const asked = query.get('key');
  const own = caller.kind === 'key' ? call.ports.keys.list().find(key => key.id === actorOf(caller)) : undefined;
  if (caller.kind === 'master' && asked === undefined)
    return invalid('The master key has no budget of its own: name a key with ?key=.', { param: 'key' });
  const key = asked === undefined ? own : keyOf(call, asked);
  // To a tenant key, keys of others and keys that do not exist are the same.
  if (caller.kind === 'key' && (!key || key.id !== own?.id))
    return refuse('permission_denied', { message: 'This key may see itself only.' });
  if (!key) return noKey();
  const standing = await standingOf(ports, config, key);
  if (!standing.ok) return standing;
  return ok({ body: { key: asked ?? tokenOf(config, key), info: keyInfo(key, standing.value) } });
}

const noKey = (message = 'There is no such key.') => refuse('not_found', { message });

/** By secret, by its SHA-256, by the first 12 digits of that, or by `namespace/name`. */
function keyOf({ ports, config }: Pick<Call, 'ports' | 'config'>, reference: string): KeyObject | undefined {
  const digest = ports.digest(reference);
  const all = ports.keys.list();
  const holds = (key: KeyObject, hash: string) =>
    tokenOf(config, key) === hash || key.spec.previousDigests.some(previous => previous.digest === `sha256:${hash}`);
  return (
    all.find(key => holds(key, digest)) ??
    all.find(key => holds(key, reference) || key.id === reference) ??
    (/^[0-9a-f]{12}$/.test(reference) ? all.find(key => tokenOf(config, key)?.startsWith(reference)) : undefined)
  );
}

// ---------------------------------------------------------------- changes

async function update(call: Call): Promise<Parsed<Answer>> {
  const { key: reference, key_alias: alias } = call.body;
  const asked = readFields(call.body, 'update', call.ports.now());
  if (!asked.ok) return asked;
  const key = reference === undefined ? byAlias(call, alias) : named(call, reference);
  if (!key.ok) return key;
  const renamed = asked.value.spec.alias;
  if (
    typeof renamed === 'string' &&
    call.ports.keys.list().some(other => other.id !== key.value.id && other.spec.alias === renamed)
  )
    return invalid(`There is a key with the alias ${renamed} already.`, { param: 'key_alias' });
  const done = await changeKey(call, 'key.update', key.value, asked.value);
  if (!done.ok) return done;
  const { ignored } = asked.value;
  return ok({
    body: {
      ...settingsOf(done.value),
      key: tokenOf(call.ports.config.current(), done.value),
      ...(ignored.length > 0 && { ignored }),
    },
  });
}

async function changeKey(call: Call, action: string, key: KeyObject, asked: Asked): Promise<Parsed<KeyObject>> {
  const preview = changeOf(asked, key);
  if (!preview.ok) return preview;
  return audited(call, action, key.id, changed(preview.value), () =>
    call.ports.keys.update(key.id, newest => changeOf(asked, newest)),
  );
}

async function block(call: Call, suspended: boolean): Promise<Parsed<Answer>> {
  const { key: reference, ...rest } = call.body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return wrong(unknown.slice(0, 64), 'left out');
  const key = named(call, reference);
  if (!key.ok) return key;
  const done = await audited(call, suspended ? 'key.block' : 'key.unblock', key.value.id, {}, () =>
    call.ports.keys.update(key.value.id, () => ok({ spec: { suspended } })),
  );
  if (!done.ok) return done;
  return ok({ body: { ...settingsOf(done.value), token: tokenOf(call.ports.config.current(), done.value) } });
}

async function remove(call: Call): Promise<Parsed<Answer>> {
  const { keys = [], key_aliases: aliases = [], ...rest } = call.body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return wrong(unknown.slice(0, 64), 'left out');
  if (!Array.isArray(keys) || !Array.isArray(aliases)) return wrong('keys', 'a list');
  if (keys.length + aliases.length === 0) return wrong('keys', 'there, or key_aliases: which keys are to be deleted');
  if (keys.length + aliases.length > MAX_DELETED) return wrong('keys', `at most ${MAX_DELETED} at a time`);
  const found = [...keys.map(key => named(call, key)), ...aliases.map(alias => byAlias(call, alias))];
  // All that is named is there before the first is deleted.
  const missing = found.find(key => !key.ok);
  if (missing && !missing.ok) return missing;
  const wanted = new Map(found.flatMap(key => (key.ok ? [[key.value.id, key.value]] : [])));
  for (const key of wanted.values()) {
    const done = await audited(call, 'key.delete', key.id, { alias: key.spec.alias ?? null }, () =>
      call.ports.keys.delete(key.id),
    );
    if (!done.ok) return done;
  }
  // As LiteLLM: what was sent comes back, but no secret does.
  return ok({ body: { deleted_keys: [...wanted.values()].map(key => tokenOf(call.config, key) ?? key.id) } });
}

/** The earlier secret goes on working for `grace_period`; without one it ends now. What was spent stays: it belongs to the object. */
async function regenerate(call: Call): Promise<Parsed<Answer>> {
  const { ports, keyInPath, body } = call;
  const key = named(call, body.key ?? keyInPath);
  if (!key.ok) return key;
  const asked = readFields(body, 'regenerate', ports.now());
  if (!asked.ok) return asked;
  if (key.value.spec.digest === undefined)
    return invalid('The secret of this key is made or kept elsewhere (generate, secretRef): rotate it there.', { status: 409 });
  const secret = asked.value.secret ?? newSecret(call);
  const taken = takenAlready(call, { ...asked.value, spec: {} }, secret);
  if (taken) return taken;
  const rotated = (newest: KeyObject): Parsed<KeyChange> => {
    const change = changeOf(asked.value, newest);
    if (!change.ok) return change;
    return previousOf(newest, asked.value.grace, ports.now(), previousDigests => ({
      spec: { ...change.value.spec, digest: `sha256:${ports.digest(secret)}`, previousDigests },
      annotations: noteAnnotation({ ...noteFrom(change.value), keyName: undefined as never, ...nameNote(secret) }),
    }));
  };
  const details = { grace_seconds: asked.value.grace / 1000 };
  const done = await audited(call, 'key.regenerate', key.value.id, details, () => ports.keys.update(key.value.id, rotated));
  return done.ok ? ok({ body: generated(call, done.value, secret, asked.value) }) : done;
}

function previousOf(
  { spec }: KeyObject,
  grace: number,
  now: number,
  change: (previous: KeyObject['spec']['previousDigests'] | undefined) => KeyChange,
): Parsed<KeyChange> {
  const alive = spec.previousDigests.filter(previous => Date.parse(previous.notAfter) > now);
  const all = grace > 0 ? [...alive, { digest: spec.digest!, notAfter: new Date(now + grace).toISOString() }] : alive;
  if (all.length > MAX_PREVIOUS)
    return invalid(`${MAX_PREVIOUS} earlier secrets of this key still work: wait for one to end, or leave grace_period out.`, {
      status: 409,
    });
  return ok(change(all.length > 0 ? all : undefined));
}

async function resetSpend(): Promise<Parsed<Answer>> {
  const message =
    'What a key has spent is the sum of its rows in the ledger, which loses none: raise max_budget, or make a new key.';
  return refuse('not_implemented', { message });
}

// ---------------------------------------------------------------- parts

function named(call: Call, reference: unknown): Parsed<KeyObject> {
  if (typeof reference !== 'string' || reference === '') return wrong('key', 'a key, its SHA-256, or the id of one');
  const key = keyOf(call, reference);
  return key ? ok(key) : noKey();
}

function byAlias({ ports }: Call, alias: unknown): Parsed<KeyObject> {
  if (typeof alias !== 'string' || alias === '') return wrong('key_alias', 'the alias of a key');
  const [key, other] = ports.keys.list().filter(k => k.spec.alias === alias);
  if (other) return invalid('Several keys have this alias: name one by its key.', { status: 409, param: 'key_alias' });
  return key ? ok(key) : noKey(`There is no key with the alias ${alias.slice(0, 128)}.`);
}

/** Fields that change, with their values: none of them is secret. */
const changed = ({ spec }: KeyChange, more: object = {}): Record<string, unknown> => ({ ...more, ...withoutSecrets(spec) });
const withoutSecrets = ({ digest: _, previousDigests: __, ...rest }: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(rest).map(([field, value]) => [field, value ?? null]));
