// What every ledger must do: one suite, run over Postgres and SQLite.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd } from '#core/units.ts';
import { rank } from '#dataplane/costlog/columns.ts';
import type { FigureFilter, FigureQuery, FigureReport, GroupBy, Ledger } from '#dataplane/costlog/ledger.ts';
import type { Retention } from '#dataplane/costlog/stored.ts';
import { costRecord, costRecords, expectedReport, openRow, requestIdAt } from './cost-records.ts';

/** A ledger of its own for a test: each `open` is another process's view of it. */
export type Place = {
  open(retention?: Retention): Ledger;
  /** As somebody who queries the tables by hand. */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
};

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The night before clocks go back in Europe, a week before they do in New York. */
const START = Date.UTC(2026, 9, 24, 12);
const noon = epochMillis(START);
const LATER = epochMillis(START + 10 * DAY);

const zones = ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe'];
const groupings: readonly (readonly GroupBy[])[] = [
  [],
  ['tenant'],
  ['model'],
  ['provider'],
  ['provider', 'model'],
  ['team'],
  ['feature', 'tenant'],
  ['user'],
  ['key', 'day'],
  ['day'],
  ['day', 'provider', 'team'],
  ['tag:a"b'],
  ['tag:[0]', 'model'],
  ["tag:x' or 1=1", 'day'],
];
const filters: readonly FigureFilter[] = [
  {},
  { tenant: 'acme' },
  { keyName: 'apps/chat', keyId: 'k-1' },
  { team: 'search' },
  { team: '' },
  { user: 'u-1' },
  { tag: 'cost.centre' },
  { tag: 'a"b=ads', tenant: 'globex' },
  { tenant: "acme' or '1'='1" },
];

export function ledgerContract(name: string, skip: string | false, makePlace: () => Promise<Place>): void {
  const check = (title: string, body: (ledger: Ledger, place: Place) => Promise<void>, retention?: Retention) =>
    test(`${name}: ${title}`, { skip }, async () => {
      const place = await makePlace();
      const ledger = place.open(retention);
      try {
        await ledger.migrate();
        await body(ledger, place);
      } finally {
        await ledger.close();
      }
    });

  check('a row comes back as it was written, with every field and with none', async ledger => {
    const full = costRecord(START, { failure: 'upstream_reset', exceeded: true, possiblyBilled: true, cache: 'stale' });
    const bare = costRecord(START + 1, {
      keyAlias: undefined,
      userId: undefined,
      tags: {},
      route: undefined,
      upstreamId: undefined,
      cost: null,
      rates: undefined,
      priceSource: undefined,
      priceVersion: undefined,
      gpuSeconds: undefined,
      similarity: undefined,
      purpose: undefined,
      firstToken: undefined,
      isFirst: { ofProvider: false, ofModel: false, ofBoth: false },
    });
    await ledger.write([full, bare]);
    assert.deepEqual(await ledger.rowsOf([full.requestId, bare.requestId.toUpperCase(), 'chatcmpl-no-uuid']), [full, bare]);
  });

  check('writing rows again changes nothing, also within one batch', async ledger => {
    const rows = [costRecord(START), costRecord(START, { attempt: 1 }), costRecord(START)];
    for (let times = 0; times < 3; times++) await ledger.write(rows);
    assert.equal((await figuresOf(ledger)).totals.attempts, 2);
    assert.equal((await figuresOf(ledger)).totals.costNano, 2n * 1_234_567n);
  });

  check('of the versions of a row the most final one stays, in whatever order and batches they come', async ledger => {
    const versions = (['open', 'recovered', 'settled'] as const).map((state, i) =>
      costRecord(START, { state, cost: nanoUsd(i) }),
    );
    let requests = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom(...versions), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
        async batches => {
          const requestId = requestIdAt(START, requests++);
          for (const batch of batches) await ledger.write(batch.map(row => ({ ...row, requestId })));
          const final = batches.flat().reduce((a, b) => (rank[b.state] > rank[a.state] ? b : a));
          assert.deepEqual(await ledger.rowsOf([requestId]), [{ ...final, requestId }]);
        },
      ),
      { numRuns: 15 },
    );
  });

  check('outside readers see only open and settled rows; a recovered one is settled, and says so', async (ledger, place) => {
    await ledger.write([
      openRow(costRecord(START)),
      costRecord(START, { attempt: 1, state: 'recovered', estimated: true }),
      costRecord(START, { attempt: 2 }),
    ]);
    const rows = await place.query('select state, recovered, estimated from attempts order by attempt');
    assert.deepEqual(
      rows.map(row => [row.state, Boolean(row.recovered), Boolean(row.estimated)]),
      [
        ['open', false, false],
        ['settled', true, true],
        ['settled', false, false],
      ],
    );
  });

  test(`${name}: a report is the sum of the rows, before, during and after maintenance, by every grouping, filter and zone`, {
    skip,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        costRecords(START, START + 3 * DAY),
        costRecords(START, START + 3 * DAY),
        fc.nat(),
        async (first, second, choice) => {
          const ledger = (await makePlace()).open();
          try {
            await ledger.migrate();
            const known = new Map<string, CostRecord>();
            const write = async (rows: readonly CostRecord[]) => {
              await ledger.write(rows);
              for (const row of rows) remember(known, row);
            };
            const compare = () => assertReports(ledger, [...known.values()], choice);
            await write(first.map(openRow));
            await compare();
            await ledger.maintain(epochMillis(START + DAY + 7 * HOUR));
            await write(first);
            await compare();
            await ledger.maintain(LATER);
            await compare();
            // Late rows of new requests, and late settlements of some that were open.
            await write([
              ...second.map(row => ({ ...row, requestId: row.requestId.replace('-8000-', '-9000-') })),
              ...first.slice(0, 9).map(row => ({ ...row, state: 'settled' as const })),
            ]);
            await compare();
            await ledger.maintain(epochMillis(START + 2 * DAY));
            await compare();
            await ledger.maintain(LATER);
            await compare();
          } finally {
            await ledger.close();
          }
        },
      ),
      { numRuns: 4 },
    );
  });

  check('figures are exact beyond 2^53', async ledger => {
    const huge = nanoUsd(Number.MAX_SAFE_INTEGER);
    await ledger.write([1, 2, 3].map(attempt => costRecord(START, { attempt, cost: huge, saved: huge })));
    const expected = 3n * BigInt(Number.MAX_SAFE_INTEGER);
    for (const step of [() => {}, () => ledger.maintain(LATER)]) {
      await step();
      const { totals, groups } = await figuresOf(ledger, { groupBy: ['tenant'] });
      assert.deepEqual([totals.costNano, totals.savedNano, groups[0]!.figures.costNano], [expected, expected, expected]);
    }
  });

  check('the dearest group comes first', async ledger => {
    await ledger.write(['a', 'b', 'c'].map((tenant, i) => costRecord(START + i, { tenant, cost: nanoUsd([5, 9, 7][i]!) })));
    assert.deepEqual(
      (await figuresOf(ledger, { groupBy: ['tenant'] })).groups.map(group => group.by.tenant),
      ['b', 'c', 'a'],
    );
  });

  check('an empty ledger has a report of zeroes for every grouping', async ledger => {
    for (const groupBy of groupings)
      assert.deepEqual(await figuresOf(ledger, { groupBy, from: epochMillis(0) }), expectedReport([], everything));
  });

  check('a correction by hand is in the report', async (ledger, place) => {
    await ledger.write([costRecord(START), costRecord(START + 1)]);
    await ledger.maintain(LATER);
    await place.query(`update attempts set cost_nano_usd = 7 where request_id = '${requestIdAt(START)}'`);
    assert.equal((await figuresOf(ledger)).totals.costNano, 1_234_574n);
    await place.query(`delete from attempts where request_id = '${requestIdAt(START)}'`);
    assert.equal((await figuresOf(ledger)).totals.costNano, 1_234_567n);
    await ledger.maintain(LATER);
    assert.equal((await figuresOf(ledger)).totals.costNano, 1_234_567n);
  });

  test(`${name}: what a tenant spent is the sum of its rows since any moment of admission, before and after maintenance`, {
    skip,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        costRecords(START, START + 2 * DAY),
        fc.array(fc.integer({ min: START - HOUR, max: START + 2 * DAY }), { minLength: 1, maxLength: 3 }),
        async (rows, moments) => {
          const ledger = (await makePlace()).open();
          try {
            await ledger.migrate();
            await ledger.write(rows);
            const since = [0, ...moments, START + 6 * HOUR, START + 12 * HOUR].map(epochMillis);
            for (const now of [START, START + DAY + HOUR, LATER]) {
              await ledger.maintain(epochMillis(now));
              assert.deepEqual(
                sorted(await ledger.spend('acme', since, since[1]!)),
                sorted(expectedSpend(rows, 'acme', since, since[1]!)),
              );
            }
          } finally {
            await ledger.close();
          }
        },
      ),
      { numRuns: 6 },
    );
  });

  check('what ended lately is told one by one, however long it took; what ended before is not', async ledger => {
    const minute = 60_000;
    const ending = (ago: number, minutes: number, fields: Partial<CostRecord> = {}) => {
      const duration = millis(minutes * minute);
      return costRecord(START - ago - duration, { duration, cost: nanoUsd(minutes), ...fields });
    };
    const stream = ending(1, 10);
    const rows = [
      stream,
      { ...ending(minute, 1), requestId: stream.requestId, attempt: 1, cost: nanoUsd(100) },
      ending(5 * minute, 10),
      ending(2, 0.01, { cost: null }),
      ending(5 * minute, 0.01),
      ending(3, 61),
      costRecord(START - 40 * minute, { state: 'recovered', duration: millis(0), cost: nanoUsd(7) }),
      ending(4, 11, { tenant: 'globex' }),
    ];
    await ledger.write(rows);
    const { settledLately } = await ledger.spend('acme', [noon], epochMillis(START - minute));
    assert.deepEqual(settledLately, [
      { requestId: rows[3]!.requestId, settled: 0 },
      { requestId: stream.requestId, settled: 110 },
      { requestId: rows[6]!.requestId, settled: 7 },
    ]);
  });

  check('open rows whose lease has ended are told, the oldest first', async ledger => {
    const rows = [0, 1, 2, 3].map(i => openRow(costRecord(START + i, { leaseUntil: epochMillis(START + 100 - i) })));
    await ledger.write([...rows, costRecord(START + 9, { leaseUntil: noon })]);
    assert.deepEqual(await ledger.overdue(epochMillis(START + 99), 10), rows.slice(1));
    assert.deepEqual(await ledger.overdue(epochMillis(START + 99), 2), rows.slice(1, 3));
  });

  check('rows are listed newest first, page by page, by time, request, id of the provider, and filter', async ledger => {
    const rows = Array.from({ length: 7 }, (_, i) =>
      costRecord(START + i, { upstreamId: `up-${i}`, tenant: i % 2 ? 'acme' : 'globex', tags: i === 3 ? { team: 'ads' } : {} }),
    );
    await ledger.write(rows);
    const list = (query: Partial<Parameters<Ledger['rows']>[0]>) => ledger.rows({ filter: {}, offset: 0, max: 10, ...query });
    assert.deepEqual(await list({}), { rows: rows.toReversed(), total: 7 });
    assert.deepEqual(await list({ offset: 2, max: 3 }), { rows: [rows[4], rows[3], rows[2]], total: 7 });
    assert.deepEqual(await list({ from: epochMillis(START + 2), to: epochMillis(START + 4) }), {
      rows: [rows[3], rows[2]],
      total: 2,
    });
    assert.deepEqual(await list({ requestId: rows[5]!.requestId.toUpperCase() }), { rows: [rows[5]], total: 1 });
    assert.deepEqual(await list({ requestId: "1' or '1'='1" }), { rows: [], total: 0 });
    assert.deepEqual(await list({ upstreamId: 'up-6' }), { rows: [rows[6]], total: 1 });
    assert.deepEqual(await list({ filter: { tag: 'team=ads', tenant: 'acme' } }), { rows: [rows[3]], total: 1 });
  });

  check('no text of a client breaks a statement or loses a row', async (ledger, place) => {
    const texts = [
      "'); drop table attempts; --",
      '\0',
      'a\0b',
      '\uD800',
      '\uDC00x',
      '"\\{},NULL',
      '$1',
      '𝒳'.repeat(400),
      'é'.repeat(10_000),
      '',
    ];
    const rows = texts.map((text, i) => hostile(START + i, text));
    await ledger.write(rows);
    const stored = await ledger.rowsOf(rows.map(row => row.requestId));
    assert.equal(stored.length, texts.length);
    for (const [i, row] of stored.entries()) {
      const clean = texts[i]!.slice(0, 512).replaceAll('\0', '\uFFFD').toWellFormed();
      assert.deepEqual([row.userId, row.upstreamId, row.modelRequested, row.tags.team], [clean, clean, clean, clean]);
      for (const groupBy of ['team', 'user', 'model', `tag:${texts[i]}`] as const) {
        const report = await figuresOf(ledger, { groupBy: [groupBy], filter: { user: texts[i]!, team: texts[i]! } });
        assert.equal(report.groups.length, 1, `${groupBy} of text ${i}`);
      }
    }
    await ledger.maintain(LATER);
    assert.equal((await figuresOf(ledger, { groupBy: ['team'] })).totals.attempts, texts.length);
    assert.equal((await place.query('select count(*) as n from attempts')).length, 1);
  });

  check('numbers that are none, or too large, do not lose a row', async ledger => {
    const row = costRecord(START, {
      gpuSeconds: Number.NaN,
      duration: Number.POSITIVE_INFINITY as never,
      similarity: Number.NEGATIVE_INFINITY,
      cost: nanoUsd(1.5),
      upstreamStatus: 1e12,
    });
    await ledger.write([row]);
    const [stored] = await ledger.rowsOf([row.requestId]);
    assert.deepEqual([stored!.gpuSeconds, stored!.duration, stored!.similarity, stored!.cost], [undefined, 0, undefined, 1]);
  });

  check('a batch is written whole or not at all', async ledger => {
    const broken = { ...costRecord(START + 1), requestId: 'no-uuid-at-all', tenant: null as never };
    await assert.rejects(ledger.write([costRecord(START), broken]));
    assert.deepEqual(await ledger.rowsOf([requestIdAt(START)]), []);
  });

  check('several writers and maintainers at once lose nothing and count nothing twice', async (ledger, place) => {
    const others = [place.open(), place.open()];
    try {
      const rows = Array.from({ length: 240 }, (_, i) => costRecord(START + i * 60_000, { cost: nanoUsd(i) }));
      const jobs = [ledger, ...others].map(async (writer, w) => {
        // Each writes all rows, in an order of its own: open first, settled then.
        const own = rows.toSorted((a, b) => ((a.at * (w + 7)) % 1009) - ((b.at * (w + 7)) % 1009));
        for (let i = 0; i < own.length; i += 40) {
          await writer.write(own.slice(i, i + 40).map(openRow));
          await writer.maintain(LATER);
          await writer.write(own.slice(Math.max(0, i - 40), i + 40));
        }
      });
      await Promise.all(jobs);
      await assertReports(ledger, rows, 0);
      await ledger.maintain(LATER);
      await assertReports(ledger, rows, 0);
    } finally {
      await Promise.all(others.map(other => other.close()));
    }
  });

  test(`${name}: any number of processes may migrate at once, and again`, { skip }, async () => {
    const place = await makePlace();
    const ledgers = [place.open(), place.open(), place.open()];
    try {
      await Promise.all(ledgers.map(ledger => ledger.migrate()));
      await ledgers[0]!.migrate();
      for (const ledger of ledgers) await ledger.write([costRecord(START)]);
      assert.equal((await figuresOf(ledgers[1]!)).totals.attempts, 1);
    } finally {
      await Promise.all(ledgers.map(ledger => ledger.close()));
    }
  });

  check(
    'rows older than the retention go by the month; their sums stay, and rows of theirs that come again change nothing',
    async (ledger, place) => {
      const months = [0, 1, 2, 3].map(month => costRecord(Date.UTC(2026, month, 31, 23, 59), { cost: nanoUsd(10 ** month) }));
      const now = epochMillis(Date.UTC(2026, 4, 10));
      await ledger.write(months);
      await ledger.maintain(epochMillis(Date.UTC(2026, 0, 1)));
      assert.equal((await figuresOf(ledger, { from: epochMillis(0) })).totals.costNano, 1111n);
      await ledger.maintain(now);
      // 60 days before: 11 March. January 31 and March 3 (February 31) are in months that are over, or not.
      const left = months.filter(row => row.at >= Date.UTC(2026, 2, 1));
      const stored = await place.query('select cost_nano_usd from attempts order by at');
      assert.deepEqual(
        stored.map(row => Number(row.cost_nano_usd)),
        left.map(row => Number(row.cost)),
      );
      for (let times = 0; times < 2; times++) {
        assert.equal((await figuresOf(ledger, { from: epochMillis(0), groupBy: ['day', 'team'] })).totals.costNano, 1111n);
        const { sums } = await ledger.spend('acme', [epochMillis(0)], now);
        assert.deepEqual(sums, [[{ keyName: 'apps/chat', modelRequested: 'gpt-4o', settled: 1111 }]]);
        await ledger.write(months);
        await ledger.maintain(now);
      }
    },
    { retentionDays: 60 },
  );

  check('an audit row is kept once, and read newest first', async ledger => {
    const entries = [0, 1, 2].map(i => ({
      id: `a-${i}`,
      at: epochMillis(START + i),
      actor: 'master',
      action: 'key.create',
      object: 'apps/chat',
      details: { n: i, text: 'a\0b' },
    }));
    for (const entry of [...entries, ...entries]) await ledger.audit(entry);
    const read = await ledger.audits({ from: noon, to: epochMillis(START + 2), max: 10 });
    assert.deepEqual(
      read,
      [entries[1], entries[0]].map(entry => ({ ...entry, details: { ...entry!.details, text: 'a\uFFFDb' } })),
    );
  });
}

const everything: FigureQuery = { from: noon, to: LATER, groupBy: [], filter: {}, timeZone: 'UTC' };
const figuresOf = (ledger: Ledger, query: Partial<FigureQuery> = {}): Promise<FigureReport> =>
  ledger.figures({ ...everything, ...query });

function remember(known: Map<string, CostRecord>, row: CostRecord): void {
  const key = `${row.requestId} ${row.attempt}`;
  const before = known.get(key);
  if (!before || rank[before.state] < rank[row.state]) known.set(key, row);
}

/** Every grouping, with filters, zones and ranges that change with `choice`. */
async function assertReports(ledger: Ledger, rows: readonly CostRecord[], choice: number): Promise<void> {
  for (const [i, groupBy] of groupings.entries()) {
    const n = choice + i;
    const query: FigureQuery = {
      groupBy,
      filter: n % 3 === 0 ? {} : filters[n % filters.length]!,
      timeZone: zones[n % zones.length]!,
      from: epochMillis(START - HOUR + (n % 2) * ((n * 7_777_777) % DAY)),
      to: epochMillis(START + 4 * DAY - (n % 4) * ((n * 3_333_333) % DAY)),
    };
    assert.deepEqual(unordered(await ledger.figures(query)), unordered(expectedReport(rows, query)), JSON.stringify(query));
  }
}

const unordered = ({ totals, groups }: FigureReport) => ({
  totals,
  groups: groups.toSorted((a, b) => (JSON.stringify(a.by) < JSON.stringify(b.by) ? -1 : 1)),
});

type Spend = Awaited<ReturnType<Ledger['spend']>>;

function expectedSpend(
  rows: readonly CostRecord[],
  tenant: string,
  since: readonly EpochMillis[],
  settledSince: EpochMillis,
): Spend {
  const own = rows.filter(row => row.tenant === tenant);
  const open = own.filter(row => row.state === 'open');
  const isOpen = (row: CostRecord) => open.some(({ requestId }) => requestId === row.requestId);
  const endedLately = (row: CostRecord) =>
    row.state !== 'open' &&
    admittedAt(row) >= settledSince - HOUR &&
    (row.state === 'recovered' || row.at + row.duration >= settledSince);
  const ended = new Set(own.filter(endedLately).map(({ requestId }) => requestId));
  const lately = own.filter(row => row.state !== 'open' && (ended.has(row.requestId) || isOpen(row)));
  return {
    sums: since.map(moment => {
      const counted = own.filter(row => row.state !== 'open' && admittedAt(row) >= moment);
      const groups = Map.groupBy(counted, ({ keyName, modelRequested }) => JSON.stringify({ keyName, modelRequested }));
      return [...groups].map(([key, rows]) => ({
        ...JSON.parse(key),
        settled: rows.reduce((sum, row) => sum + (row.cost ?? 0), 0),
      }));
    }),
    open: open.map(({ requestId, keyName, modelRequested, reserved, leaseUntil }) => ({
      requestId,
      keyName,
      modelRequested,
      reserved,
      leaseUntil,
    })),
    settledLately: [...Map.groupBy(lately, row => row.requestId)].map(([requestId, rows]) => ({
      requestId,
      settled: nanoUsd(rows.reduce((sum, { cost }) => sum + (cost ?? 0), 0)),
    })),
  };
}

const admittedAt = ({ requestId }: CostRecord): number => Number.parseInt(requestId.replaceAll('-', '').slice(0, 12), 16);

function sorted({ sums, open, settledLately }: Spend): unknown {
  const texts = (list: readonly unknown[]) => list.map(item => JSON.stringify(item)).toSorted();
  return {
    // A key that only has rows without a cost may be told with nothing, or not at all.
    sums: sums.map(list => texts(list.filter(({ settled }) => settled > 0))),
    open: texts(open),
    settledLately: texts(settledLately),
  };
}

const hostile = (at: number, text: string): CostRecord =>
  costRecord(at, {
    tenant: text,
    keyId: text,
    keyName: text,
    keyAlias: text,
    userId: text,
    tags: { team: text, [text]: text },
    route: text,
    modelRequested: text,
    model: text,
    upstreamModel: text,
    provider: text,
    endpoint: text,
    upstreamId: text,
    priceSource: text,
    priceVersion: text,
  });
