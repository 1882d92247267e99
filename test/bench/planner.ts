// What a plan costs, by strategy and number of backends, with all that is measured of them at hand: `npm run bench -- --only=planner`.
import { ok } from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { scanObject } from '#core/json/scan.ts';
import { nothingKnown, type PlanContext } from '#core/plan/context.ts';
import { type Plan, planRoute } from '#core/plan/plan.ts';
import { Sessions } from '#core/plan/sessions.ts';
import { strategies } from '#core/plan/strategies/index.ts';
import type { RouteEntry, Snapshot, StrategyName } from '#core/snapshot/snapshot.ts';
import { aBackend, aModel, aPrice, aProvider, aRoute } from '#core/snapshot/testing.ts';
import { millis } from '#core/units.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { Observations } from '#dataplane/health/observations.ts';
import { BodyNeeds } from '#dataplane/needs.ts';
import { markdown } from './report.ts';

const SIZES = [1, 2, 32];
const NOW = 1_790_000_000_000;

const names = Array.from({ length: Math.max(...SIZES) }, (_, i) => `b${i}`);
const providers = names.map((name, i) =>
  aProvider(name, {
    locality: { region: `region-${i % 4}`, zone: `zone-${i % 8}` },
    models: [aModel('m', { capabilities: ['Chat', 'Tools', 'Vision', 'JSONSchema'], price: aPrice(1000 * (1 + (i % 5))) })],
  }),
);
const snapshot: Snapshot = {
  schemaVersion: 1,
  routes: [],
  keys: [],
  tenants: {},
  providers: Object.fromEntries(providers.map(provider => [provider.id, provider])),
};

/** 2,000 attempts at each over the last minutes, and some under way. */
function someHistory(): Observations {
  const health = new Observations({ snapshot: () => snapshot, usage: () => 0.5 });
  for (const [i, provider] of providers.entries()) {
    const candidate = { backend: provider.name, provider, model: provider.models[0]!, priority: 0, weight: 1 };
    for (let n = 0; n < 2000; n++) {
      const at = NOW - 240_000 + n * 120;
      const attempt = health.began(candidate, 1000, at);
      const ms = 100 + ((n * (i + 7)) % 400);
      attempt.firstToken(ms, at + ms);
      if (n < 1990 + (i % 10)) attempt.ended({ ms: ms * 4, outputTokens: 200 }, at + ms * 4);
    }
  }
  return health;
}

const messages = [{ role: 'user', content: 'The quick brown fox jumps over the lazy dog. '.repeat(20) }];
const scanned = scanObject(Buffer.from(JSON.stringify({ model: 'm', max_tokens: 500, messages })), {
  maxDepth: 128,
  interpreted: new Set(),
  isUtf8,
});
ok(scanned.ok);
const body = scanned.value;

/** Median microseconds of one plan, of runs of 50. */
function microseconds(plan: (turn: number) => Plan): number {
  const times: number[] = [];
  let turn = 0;
  let planned = 0;
  for (let run = 0; run < 600; run++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < 50; i++) planned += plan(turn++).candidates.length;
    // The first ones run before the compiler has seen them.
    if (run >= 200) times.push(Number(process.hrtime.bigint() - start) / 50_000);
  }
  ok(planned > 0);
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

const rows: readonly (readonly [title: string, settings: Partial<RouteEntry>])[] = [
  ...(Object.keys(strategies) as StrategyName[]).map(strategy => [strategy, { strategy }] as const),
  ['Weighted, autoWeight', { autoWeight: { floor: 0.05 } }],
  ['Weighted, affinity', { affinity: { header: 'x-session-id', ttl: millis(300_000) } }],
  ['Weighted, costGuard', { fallback: { ...aRoute('r').fallback, costGuard: { maxPriceRatio: 3, onExceeded: 'Deny' } } }],
];

export function plannerTable(): string {
  const health = someHistory();
  const context = { ...nothingKnown, health, now: NOW, home: { region: 'region-1', zone: 'zone-1' }, sessions: new Sessions() };
  const lines = rows.map(([title, settings]) => [
    title,
    ...SIZES.map(size => {
      const route = aRoute(title, {
        ...settings,
        backends: names.slice(0, size).map((name, i) => aBackend(name, { weight: 1 + (i % 3) })),
      });
      return microseconds(turn => planRoute(snapshot, route, 'm', contextOf(context, turn))).toFixed(2);
    }),
  ]);
  const title = '### A plan, µs, by strategy and number of backends of equal priority';
  return `${title}\n\n${markdown([['', ...SIZES.map(String)], ...lines])}\n\nGoal: 32 backends within 20 µs.`;
}

/** As the data plane makes them: a request of its own each, so that nothing is remembered of the one before. */
function contextOf(context: PlanContext, turn: number): PlanContext {
  const headers: IncomingHttpHeaders = { 'x-session-id': `session-${turn % 1000}` };
  const needs = new BodyNeeds({ frontend: openAIChat, action: 'generate', headers }, body, 'acme', `m${turn % 100}`);
  return { ...context, random: (turn * 0.6180339887498949) % 1, turn, needs, pods: 1 };
}
