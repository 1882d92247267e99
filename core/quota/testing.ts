// What the pool does, as a plain program: tests of pods run against it, and the script in Redis is held against it step by step.
import {
  type Amounts,
  type Dim,
  dims,
  HUNGRY_MS,
  LEASE_MS,
  nothing,
  type Reply,
  type Report,
  SETTLE_MS,
  WINDOW_SECONDS,
} from './lease.ts';

type Pod = {
  seq: number;
  second: number;
  until: number;
  seen: number;
  since?: number;
  busy: number;
  hold: Amounts;
  lack: Amounts;
};
type WindowDim = 'requests' | 'tokens';

export class Pool {
  born = 0;
  #used: Record<WindowDim, Map<number, number>> = { requests: new Map(), tokens: new Map() };
  #pods = new Map<string, Pod>();

  sync(report: Report, now: number): Reply {
    if (this.born === 0) this.born = now;
    const second = Math.floor(now / 1000);
    this.#forget(second);
    this.#bury(now, second);
    if (report.born !== 0 && report.born !== this.born) return this.#lost();
    const me = this.#take(report, now, second);
    const others = [...this.#pods].filter(([id]) => id !== report.pod).map(([id, pod]) => ({ id, pod }));
    const ahead = others.filter(({ id, pod }) => isHungry(pod, now) && goesFirst(id, pod, report.pod, me)).map(({ pod }) => pod);
    const settles = now < this.born + SETTLE_MS;
    const granted = { ...nothing };
    let exhausted = false;
    let roomIn = 0;
    for (const dim of limitedDims(report)) {
      const reserved = sum(ahead, pod => pod.lack[dim]);
      const free = report.limits[dim]! - this.#usedSum(dim) - sum([...this.#pods.values()], pod => pod.hold[dim]);
      granted[dim] = settles ? 0 : Math.max(0, Math.min(report.want[dim], free - reserved));
      me.hold[dim] += granted[dim];
      me.lack[dim] = Math.max(0, report.need[dim] - granted[dim]);
      if (me.lack[dim] === 0) continue;
      const idle = sum(others, ({ pod }) => pod.hold[dim] - (dim === 'slots' ? pod.busy : 0));
      exhausted ||= !settles && idle <= 0;
      roomIn = Math.max(roomIn, this.#roomIn(dim, now));
    }
    const used = { requests: this.#usedSum('requests'), tokens: this.#usedSum('tokens') };
    return { born: this.born, lost: false, second: me.second, granted, yield: ahead.length > 0, exhausted, roomIn, used };
  }

  #lost(): Reply {
    const used = { requests: 0, tokens: 0 };
    return { born: this.born, lost: true, second: 0, granted: { ...nothing }, yield: false, exhausted: false, roomIn: 0, used };
  }

  #forget(second: number): void {
    for (const buckets of Object.values(this.#used))
      for (const at of [...buckets.keys()]) if (at <= second - WINDOW_SECONDS) buckets.delete(at);
  }

  /** What a dead pod held of the windows it may have used. */
  #bury(now: number, second: number): void {
    for (const [id, pod] of [...this.#pods]) {
      if (pod.until > now) continue;
      this.#count('requests', second, pod.hold.requests);
      this.#count('tokens', second, pod.hold.tokens);
      this.#pods.delete(id);
    }
  }

  #take(report: Report, now: number, second: number): Pod {
    const known = this.#pods.get(report.pod);
    const fresh: Pod = { seq: 0, second, until: 0, seen: 0, busy: 0, hold: { ...nothing }, lack: { ...nothing } };
    const me = known ?? fresh;
    this.#pods.set(report.pod, me);
    const isNews = report.seq > me.seq;
    if (isNews) this.#tell(me, report, second);
    Object.assign(me, { until: now + LEASE_MS, seen: now, busy: report.busy, hold: { ...report.hold }, lack: { ...nothing } });
    if (limitedDims(report).every(dim => report.need[dim] === 0)) delete me.since;
    else if (me.since === undefined || (isNews && report.passed > 0)) me.since = now;
    return me;
  }

  #tell(me: Pod, { seq, used, refunds }: Report, second: number): void {
    me.seq = seq;
    me.second = second;
    this.#count('requests', second, used.requests);
    this.#count('tokens', second, used.tokens);
    for (const [at, amount] of Object.entries(refunds)) {
      const counted = this.#used.tokens.get(Number(at));
      if (counted !== undefined) this.#used.tokens.set(Number(at), Math.max(0, counted - amount));
    }
  }

  #count(dim: WindowDim, second: number, amount: number): void {
    if (amount > 0) this.#used[dim].set(second, (this.#used[dim].get(second) ?? 0) + amount);
  }

  #usedSum(dim: Dim): number {
    return dim === 'slots' ? 0 : sum([...this.#used[dim].values()], amount => amount);
  }

  #roomIn(dim: Dim, now: number): number {
    const oldest = dim === 'slots' ? Number.POSITIVE_INFINITY : Math.min(...this.#used[dim].keys());
    return oldest === Number.POSITIVE_INFINITY ? 0 : (oldest + WINDOW_SECONDS) * 1000 - now;
  }
}

const limitedDims = ({ limits }: Report): readonly Dim[] => dims.filter(dim => limits[dim] !== undefined);
const isHungry = (pod: Pod, now: number): boolean => pod.since !== undefined && now - pod.seen < HUNGRY_MS;
const goesFirst = (id: string, pod: Pod, myId: string, me: Pod): boolean =>
  me.since === undefined || pod.since! < me.since || (pod.since === me.since && id < myId);
const sum = <T>(items: readonly T[], amount: (item: T) => number): number => items.reduce((all, item) => all + amount(item), 0);
