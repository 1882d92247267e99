// The data-plane pods, as the EndpointSlices of their Service have them, and what each says of itself. They are asked; they write nothing.
import { Agent, request } from 'undici';
import { type ConfigReport, readConfigReport, readSurroundings, type SurroundingsReport } from '#core/snapshot/pod-report.ts';
import type { PodReport } from '#core/status/delivery.ts';
import type { Clock } from '#platform/clock.ts';
import { SERVICE_LABEL, type SliceObject } from '../resources.ts';
import type { Source } from '../runtime/source.ts';

export type DataPlanePodsOptions = {
  readonly slices: Source<SliceObject>;
  /** `namespace/name` of the Service of the data plane. */
  readonly service: string;
  readonly clock: Clock;
  /** The pods that count, or what they have acknowledged, are others than before. */
  readonly onAcknowledged: () => void;
  /** What pods say of engines, budgets and credentials is another than before. */
  readonly onSurroundings: () => void;
};

type Found = {
  /** Of the pod itself: its address may be another pod's later. */
  readonly id: string;
  readonly name: string;
  readonly base: string;
};

type Pod = Found & {
  readonly seenAt: number;
  report?: { readonly config: ConfigReport; readonly rejected: ReadonlyMap<string, string> };
  surroundings?: { readonly value: SurroundingsReport; readonly text: string };
  /** undefined: nothing is under way. */
  asking?: Promise<void>;
};

export const INTERNAL_PORT_NAME = 'internal';
/** A pod that has just become ready has this long until its first answer counts as missing. */
const FIRST_ANSWER_MS = 2_000;
const ANSWER_MS = 1_000;
/** Waits between questions while an acknowledgement is due. */
const DUE_MS = [25, 25, 50, 50, 100, 100, 200, 400, 1_000] as const;
const IDLE_MS = 5_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export class DataPlanePods {
  readonly #options: DataPlanePodsOptions;
  readonly #agent = new Agent({ connections: 2, keepAliveTimeout: 30_000, connectTimeout: ANSWER_MS });
  /** By their ids. */
  #pods = new Map<string, Pod>();
  #leave: (() => void) | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** undefined: nothing is expected. */
  #wanted: number | undefined;
  #hasSettled = false;

  constructor(options: DataPlanePodsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#leave = this.#options.slices.onChange(({ object }) => {
      if (isOf(object, this.#options.service)) this.#follow();
    });
    this.#follow();
    this.#idle = setInterval(() => {
      for (const pod of this.#pods.values()) {
        void this.#ask(pod);
        void this.#askSurroundings(pod);
      }
    }, IDLE_MS).unref();
  }

  async close(): Promise<void> {
    this.#leave?.();
    clearInterval(this.#idle);
    this.#pods.clear();
    await this.#agent.destroy();
  }

  /** Of each pod that counts. One whose first answer is still to be expected does not yet. */
  reports(): readonly PodReport[] {
    const now = this.#options.clock.monotonic();
    return [...this.#pods.values()].flatMap(({ name, seenAt, report }) => {
      if (!report && now - seenAt < FIRST_ANSWER_MS) return [];
      return [{ pod: name, generation: report?.config.generation, rejected: report?.rejected ?? new Map() }];
    });
  }

  /** Some that are ready have not had their time to say what they serve. */
  get hasUnheard(): boolean {
    const now = this.#options.clock.monotonic();
    return [...this.#pods.values()].some(({ report, seenAt }) => !report && now - seenAt < FIRST_ANSWER_MS);
  }

  surroundings(): readonly SurroundingsReport[] {
    return [...this.#pods.values()].flatMap(({ surroundings }) => surroundings?.value ?? []);
  }

  /** All pods that there were at the start have answered, or had their time. Before, nothing is known that a status could tell. */
  get hasSettled(): boolean {
    const now = this.#options.clock.monotonic();
    const isOpen = ({ report, surroundings, seenAt }: Pod) => (!report || !surroundings) && now - seenAt < FIRST_ANSWER_MS;
    this.#hasSettled ||= ![...this.#pods.values()].some(isOpen);
    return this.#hasSettled;
  }

  /** By each pod the version of the schema that it reads best; undefined: it has not said yet. */
  schemas(): readonly (number | undefined)[] {
    return [...this.#pods.values()].map(({ report }) => report?.config.schemaVersion);
  }

  /** Asks every pod until it serves this generation. @param generation undefined: another operator sees to that */
  expect(generation: number | undefined): void {
    this.#wanted = generation;
    for (const pod of this.#pods.values()) void this.#ask(pod);
  }

  #follow(): void {
    const { slices, service, clock } = this.#options;
    const found = new Map<string, Pod>();
    const ours = [...slices.objects.values()].filter(slice => isOf(slice, service));
    for (const pod of ours.flatMap(podsIn).sort(byFamily)) {
      const { id, base } = pod;
      const known = this.#pods.get(id);
      if (!found.has(id)) found.set(id, known?.base === base ? known : { ...pod, seenAt: clock.monotonic() });
    }
    const isSame = found.size === this.#pods.size && [...found].every(([id, pod]) => this.#pods.get(id) === pod);
    this.#pods = found;
    if (isSame) return;
    for (const pod of found.values()) {
      void this.#ask(pod);
      void this.#askSurroundings(pod);
    }
    this.#options.onAcknowledged();
    // One that has not said anything by then counts, and is missing.
    setTimeout(() => this.#options.onAcknowledged(), FIRST_ANSWER_MS + 1).unref();
  }

  /** Again and again until it serves what it should, or is gone. */
  #ask(pod: Pod): Promise<void> {
    pod.asking ??= this.#askUntilThere(pod).finally(() => {
      delete pod.asking;
    });
    return pod.asking;
  }

  async #askUntilThere(pod: Pod): Promise<void> {
    for (let tries = 0; this.#isCounted(pod); tries++) {
      const wanted = this.#wanted;
      const answer = await this.#get(pod, '/configz');
      const read = readConfigReport(answer);
      if (read.ok) this.#take(pod, read.value);
      if (!this.#isCounted(pod)) return;
      if (read.ok && (this.#wanted === undefined || read.value.generation === this.#wanted)) return;
      if (this.#wanted !== wanted) tries = 0;
      await new Promise(resolve => setTimeout(resolve, DUE_MS[Math.min(tries, DUE_MS.length - 1)]).unref());
    }
  }

  #isCounted(pod: Pod): boolean {
    return this.#pods.get(pod.id) === pod;
  }

  #take(pod: Pod, config: ConfigReport): void {
    const before = pod.report;
    const isNews =
      before?.config.generation !== config.generation ||
      before.config.schemaVersion !== config.schemaVersion ||
      JSON.stringify(before.config.rejected) !== JSON.stringify(config.rejected);
    if (!isNews) return;
    pod.report = { config, rejected: new Map(config.rejected.map(({ kind, id, message }) => [`${kind} ${id}`, message])) };
    if (this.#isCounted(pod)) this.#options.onAcknowledged();
  }

  async #askSurroundings(pod: Pod): Promise<void> {
    const answer = await this.#get(pod, '/statusz');
    const read = readSurroundings(answer);
    const text = JSON.stringify(answer);
    if (!read.ok || !this.#isCounted(pod) || pod.surroundings?.text === text) return;
    pod.surroundings = { value: read.value, text };
    this.#options.onSurroundings();
  }

  /** undefined: there was no answer that could be read. */
  async #get({ base }: Pod, path: string): Promise<unknown> {
    try {
      const { statusCode, body } = await request(`${base}${path}`, {
        dispatcher: this.#agent,
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
        signal: AbortSignal.timeout(2 * ANSWER_MS),
      });
      const bytes = Buffer.from(await body.arrayBuffer());
      return statusCode === 200 && bytes.length <= MAX_ANSWER_BYTES ? JSON.parse(bytes.toString('utf8')) : undefined;
    } catch {
      return undefined;
    }
  }
}

const isOf = ({ metadata }: SliceObject, service: string): boolean =>
  `${metadata.namespace}/${metadata.labels?.[SERVICE_LABEL]}` === service;

/** Those that are to serve. One that terminates gets no new requests, so nothing waits for it. */
function podsIn({ endpoints = [], ports }: SliceObject): readonly Found[] {
  const port = ports?.find(({ name }) => name === INTERNAL_PORT_NAME)?.port;
  if (!port) return [];
  return endpoints.flatMap(({ addresses: [address], conditions, targetRef }) => {
    if (!address || conditions?.ready === false || conditions?.terminating === true) return [];
    const host = address.includes(':') ? `[${address}]` : address;
    const name = targetRef?.name || address;
    return [{ id: `${name} ${targetRef?.uid ?? ''}`, name, base: `http://${host}:${port}` }];
  });
}

/** A pod with addresses of both families is in a slice of each, and is one pod: it is asked at that of IPv4. */
const byFamily = (a: Found, b: Found): number => Number(a.base.includes('[')) - Number(b.base.includes('['));
