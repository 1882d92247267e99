// A process of its own that asks one Redis for reservations: told by its arguments, answers in one line of JSON on standard output.
// node counters-process.ts <redis url> <name> <how many> <json of limits> <json of budgets> <cost>; begins when a line arrives on standard input.
import { once } from 'node:events';
import { redisCounters } from '#dataplane/counters/redis.ts';
import { connectRedis } from '#platform/redis.ts';
import { until } from './until.ts';

const [url, name, count, limits, budgets, cost] = process.argv.slice(2) as [string, string, string, string, string, string];
const link = connectRedis({ url, log: { warn: () => undefined, info: () => undefined }, commandTimeoutMs: 2000 });
await until('the connection is up', () => link.state().kind === 'up');
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const counters = redisCounters({ link });
const answers = await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const request = {
      tenant: 'shared',
      id: `${name}-${i}`,
      limits: JSON.parse(limits),
      budgets: JSON.parse(budgets),
      tokens: 0 as never,
    };
    const answer = await counters.reserve({
      ...request,
      cost: Number(cost) as never,
      leaseUntil: 4e12 as never,
      limitsAlone: false,
    });
    if (answer.kind !== 'granted') return { kind: answer.kind, crossed: 0 };
    if (request.limits.length > 0) return { kind: answer.kind, crossed: 0 };
    const ended = await counters.settle({ ...request, cost: Number(cost) as never });
    return { kind: answer.kind, crossed: ended.kind === 'settled' ? ended.crossed.length : 0 };
  }),
);
process.stdout.write(`${JSON.stringify(answers)}\n`);
await link.close();
process.exit(0);
