// TenantKey: one key of one tenant, what it may use and how much.
import type * as z from 'zod';
import {
  block,
  checked,
  choice,
  count,
  duration,
  flag,
  keyedList,
  label,
  labelSelector,
  list,
  money,
  namedList,
  objectName,
  type Rule,
  secretRef,
  statusOf,
  stringMap,
  text,
  timestamp,
} from './common.ts';

const rate = (what: string) => count(1, 1_000_000_000_000, what).optional();
const rates = {
  rpm: rate('Requests a minute.'),
  tpm: rate('Tokens a minute.'),
  maxConcurrency: rate('Requests at the same time.'),
};

const modelPattern = text(253, 'A model, or a pattern with *.');

const digest = (description: string) =>
  text(71, description).regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 lower-case hex digits');

const budget = block({
  name: label('Name of the budget.'),
  amount: money('How much may be spent in a period, in US dollars.'),
  currency: choice(['USD'], 'The currency.').default('USD'),
  period: choice(['Hourly', 'Daily', 'Weekly', 'Monthly', 'Total'], 'When it starts anew; weeks begin on Monday.'),
  timeZone: text(64, 'On whose calendar, as an IANA name.').default('UTC'),
  scope: choice(['Key', 'Tenant'], 'Tenant: all keys of the tenant together; declared on any of them.').default('Key'),
  models: list(modelPattern, 64, 'The models it counts. Empty: all.').default([]),
  warnAtPercent: list(count(1, 100, 'Percent of the amount.'), 8, 'When to warn.').default([]),
  onExhausted: choice(
    ['Block', 'Warn', 'Downgrade'],
    'What happens when it is spent: a 402, a warning, or a smaller model.',
  ).default('Block'),
});

const spec = block({
  tenant: text(128, 'Who is billed. Keys of one tenant share its budgets of scope Tenant and its cache. Immutable.'),
  alias: text(128, 'A name for people.').optional(),
  secretRef: secretRef('The Secret that holds the key.').optional(),
  generate: block({
    secretName: objectName('Name of the Secret to write the key to.'),
    prefix: text(32, 'How the key begins.')
      .regex(/^[A-Za-z0-9_-]+$/, 'must be letters, digits, dashes and underscores')
      .default('sk-'),
    bytes: count(16, 64, 'Random bytes in the key.').default(32),
  })
    .meta({ description: 'Have a key made.' })
    .optional(),
  digest: digest('SHA-256 of the whole key, as sha256:<64 hex digits>: no plaintext is kept anywhere.').optional(),
  previousDigests: keyedList(
    block({
      digest: digest('As digest.'),
      notAfter: timestamp('Until when it works.'),
    }),
    'digest',
    4,
    'Earlier keys of this object that still work, so that whoever uses one has time to change it.',
  ).default([]),
  rotation: block({
    every: duration('How often a new key is made.'),
    overlap: duration('How long the old one still works.').default('24h'),
  })
    .meta({ description: 'Makes a new key now and then; only with generate.' })
    .optional(),
  models: block({
    allow: list(modelPattern, 256, 'Models it may use. Default: all.').optional(),
    deny: list(modelPattern, 256, 'Models it may not use, whatever allow says.').default([]),
  })
    .meta({ description: 'Which models the key may use.' })
    .prefault({}),
  routes: labelSelector('Labels of the routes it may use. Default: all that admit it.').optional(),
  limits: block({
    ...rates,
    perModel: keyedList(block({ model: modelPattern, ...rates }), 'model', 64, 'Limits for single models.').default([]),
  })
    .meta({ description: 'How fast the key may be used.' })
    .optional(),
  budgets: namedList(budget, 16, 'How much the key may spend.').default([]),
  onStoreFailure: choice(
    ['Allow', 'Deny', 'LocalShare'],
    'When the counters cannot be reached: allow, refuse with 503, or allow the last known remainder divided by the ready pods.',
  ).default('LocalShare'),
  tags: stringMap(32, 'On every cost row of the key.').default({}),
  exposeSimilarity: flag(true, "May this key see the cache's similarity header."),
  expiresAt: timestamp('From when the key is refused.').optional(),
  suspended: flag(false, 'Refuse the key for now.'),
  priority: count(-1000, 1000, 'Higher first when a provider queues.').default(0),
});
type Spec = z.output<typeof spec>;

const rules: readonly Rule<Spec>[] = [
  {
    cel: '[has(self.secretRef), has(self.generate), has(self.digest)].filter(x, x).size() == 1',
    message: 'exactly one of secretRef, generate, digest must be set',
    holds: value => [value.secretRef, value.generate, value.digest].filter(x => x !== undefined).length === 1,
  },
  {
    cel: '!has(self.rotation) || has(self.generate)',
    message: 'rotation needs generate',
    holds: value => value.rotation === undefined || value.generate !== undefined,
    at: ['rotation'],
  },
  { cel: 'self.tenant == oldSelf.tenant', message: 'tenant is immutable' },
];

export const tenantKeySpec = checked(spec, 'Whose key it is, and what it may do.', rules);
export type TenantKeySpec = z.output<typeof tenantKeySpec>;

export const tenantKeyStatus = statusOf({
  keyID: text(12, 'First 12 hex digits of the digest.').optional(),
  activeKeys: keyedList(
    block({
      id: text(12, 'First 12 hex digits of its digest.'),
      notBefore: timestamp('From when it works.').optional(),
      notAfter: timestamp('Until when it works.').optional(),
    }),
    'id',
    4,
    'The keys that work now; two while a rotation overlaps.',
  ).optional(),
  secretName: objectName('The Secret that holds the key.').optional(),
  nextRotationTime: timestamp('When a new key will be made.').optional(),
  budgets: namedList(
    block({
      name: label('Name of the budget.'),
      level: choice(['OK', 'Warn', 'Exhausted'], 'How far it is spent.'),
      resetAt: timestamp('When it starts anew. Told while the level is not OK.').optional(),
    }),
    16,
    'The level of each budget. What is spent is in the metrics and the cost log, not here.',
  ).optional(),
});
