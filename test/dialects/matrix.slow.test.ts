// Every client dialect to every provider, in every feature: what works, what is left out and named, what is refused and why. The result is
// docs/dialects.md: `TOLLGATE_GOLDEN=write` writes it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ask, type Client, type Told, type Turn, wordsOf } from './ask.ts';
import { clients } from './clients/index.ts';
import { type Feature, faults, features, type Seen } from './features.ts';
import { type Cell, pageOf, type Row, type Table } from './page.ts';
import { jsonOf, post, type Reply, send } from './send.ts';
import { type Manner, openStage, publicName, type Stage, type Target, targets } from './targets.ts';

const page = path.join(import.meta.dirname, '../../docs/dialects.md');

let stage: Stage;
before(async () => {
  stage = await openStage({ faults, manners: ['drop', 'strict'] });
});
after(() => stage?.close());

/** By it a request is found again among those that the simulator saw. */
let marks = 0;
const nextMark = (): string => `mark-${++marks}.`;

type Asked = { readonly mark: string; readonly reply: Reply; readonly ask: Ask };

function askOf(client: Client, target: Target, { ask: question, kind = 'model' }: Feature, manner: Manner, mark: string): Ask {
  const { turns = [], says = 'Tell me of tolls.', parts = [], prompts, ...rest } = question;
  const user: Turn = { user: [{ kind: 'text', text: `${says} ${mark}` }, ...parts] };
  // A model of Bedrock is asked in its own words.
  const thinks = rest.thinking && client.dialect === 'bedrock-converse' && target.name === 'bedrock-nova';
  return {
    model: publicName(target, kind, manner),
    ...rest,
    ...(prompts && { prompts: prompts.map(prompt => `${prompt} ${mark}`) }),
    ...(thinks && { thinking: 'nova' as const }),
    turns: [...turns, user],
  };
}

async function asked(client: Client, target: Target, feature: Feature, manner: Manner): Promise<Asked> {
  const mark = nextMark();
  const ask = askOf(client, target, feature, manner, mark);
  const reply = await send(stage.gateway.url, client, ask);
  if (!feature.next || reply.status !== 200) return { mark, reply, ask };
  const first = read(client, ask, reply);
  const later = nextMark();
  const turns = [...ask.turns, { answer: first.turn }, ...feature.next(first)];
  // The results of tools are the end of the request: the mark stands in the system prompt.
  const next = { ...ask, system: later, turns };
  return { mark: later, ask: next, reply: await send(stage.gateway.url, client, next) };
}

const read = (client: Client, { stream }: Ask, reply: Reply) =>
  stream ? client.readStream(reply.bytes) : client.readWhole(jsonOf(reply));

async function cellOf(client: Client, target: Target, feature: Feature): Promise<Cell> {
  if (!canSay(client, target, feature)) return { kind: 'unsaid' };
  if (feature.counts) return counted(client, target, feature);
  const got = await asked(client, target, feature, 'drop');
  if (got.reply.status !== 200) return refused(client, target, feature, got);
  if (got.reply.dropped.length > 0) return dropped(client, target, feature, got);
  if (feature.breaks) {
    assert.throws(() => client.readStream(got.reply.bytes));
    return { kind: 'works' };
  }
  const note = feature.shows(seenOf(client, target, got));
  return { kind: 'works', ...(typeof note === 'string' && { note }) };
}

function canSay(client: Client, target: Target, feature: Feature): boolean {
  if (feature.counts) return client.count !== undefined;
  const words = wordsOf(askOf(client, target, feature, 'drop', '')).union(new Set(feature.words));
  if (feature.next) words.add('turns');
  return words.isDisjointFrom(client.lacks);
}

function seenOf(client: Client, target: Target, { mark, reply, ask }: Asked): Seen {
  const record = stage
    .behind(target)
    .requests()
    .findLast(({ body }) => JSON.stringify(body).includes(mark));
  assert.ok(record, 'it reached no provider');
  return {
    answer: read(client, ask, reply),
    sent: record.body,
    promptTokens: record.promptTokens,
    costUSD: reply.costUSD,
    client,
    target,
  };
}

/** With a loss: under `dropUnsupported: false` it is refused by a name of what would be lost. */
async function dropped(client: Client, target: Target, feature: Feature, { ask, reply }: Asked): Promise<Cell> {
  read(client, ask, reply);
  const strict = await asked(client, target, feature, 'strict');
  const told = toldIn(client, strict.reply);
  assertUnsupported(target, told, strict.reply);
  assert.ok(reply.dropped.includes(told.param!), `${told.param} is not among ${reply.dropped}`);
  return { kind: 'dropped', fields: reply.dropped };
}

async function refused(client: Client, target: Target, feature: Feature, { reply }: Asked): Promise<Cell> {
  const told = toldIn(client, reply);
  if (feature.fails) {
    assert.ok(feature.fails.includes(told.code), reply.bytes.toString());
    return { kind: 'works' };
  }
  if (told.code === 'upstream_invalid_request') {
    assert.ok(target.speaks.includes(client.dialect), `a translated body was refused: ${reply.bytes}`);
    return { kind: 'passed' };
  }
  assertUnsupported(target, told, reply);
  const strict = toldIn(client, (await asked(client, target, feature, 'strict')).reply);
  assert.equal(strict.code, told.code);
  return { kind: 'refused', field: told.param! };
}

function toldIn(client: Client, reply: Reply): Told {
  assert.notEqual(reply.status, 200, 'it was taken');
  return client.readError(jsonOf(reply), reply.status);
}

function assertUnsupported(target: Target, { code, param }: Told, { status, bytes }: Reply): void {
  assert.deepEqual([status, code], [400, 'unsupported_parameter'], bytes.toString());
  assert.ok(param, bytes.toString());
  assert.match(bytes.toString(), new RegExp(`${target.type}|provider ${target.name}`, 'i'));
}

async function counted(client: Client, target: Target, feature: Feature): Promise<Cell> {
  const ask = askOf(client, target, feature, 'drop', nextMark());
  const reply = await post(stage.gateway.url, client.count!.write(ask));
  assert.equal(reply.status, 200, reply.bytes.toString());
  assert.ok(client.count!.read(jsonOf(reply)) > 3);
  return { kind: 'works' };
}

const tables: Table[] = [];
for (const client of clients)
  describe(`clients of ${client.dialect}`, () => {
    const rows = features.map((feature): Row & { cells: Cell[] } => ({ feature: feature.name, cells: [] }));
    tables.push({ client, rows });
    for (const [column, target] of targets.entries())
      test(`to ${target.name}`, async () => {
        const wrong: string[] = [];
        for (const [index, feature] of features.entries())
          try {
            rows[index]!.cells[column] = await cellOf(client, target, feature);
          } catch (error) {
            wrong.push(`${feature.name}: ${(error as Error).message}`);
          }
        stage.behind(target).reset();
        assert.equal(wrong.length, 0, wrong.join('\n'));
      });
  });

test('docs/dialects.md says so', () => {
  const text = pageOf(targets, tables);
  if (process.env.TOLLGATE_GOLDEN === 'write') writeFileSync(page, text);
  assert.equal(readFileSync(page, 'utf8'), text, 'TOLLGATE_GOLDEN=write writes what is so now');
});
