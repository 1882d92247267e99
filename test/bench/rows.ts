// What is measured: one row for each claim of docs/benchmarks.md.
import type { LoadResult } from './load.ts';

/** The gateway answers for `same-dialect` from an upstream of the client's wire, and for all others by translation. */
export const subjects = {
  bare: { title: 'bare proxy', server: 'bare', model: 'same-dialect' },
  gateway: { title: 'Tollgate', server: 'gateway', model: 'same-dialect' },
  translated: { title: 'Tollgate, OpenAI to Anthropic', server: 'gateway', model: 'other-dialect' },
  toResponses: { title: 'Tollgate, OpenAI chat to Responses', server: 'gateway', model: 'to-responses' },
  toGemini: { title: 'Tollgate, OpenAI to Gemini', server: 'gateway', model: 'to-gemini' },
  toBedrock: { title: 'Tollgate, OpenAI to Bedrock', server: 'gateway', model: 'to-bedrock' },
  tenants: { title: 'Tollgate, Redis and Postgres', server: 'tenants', model: 'same-dialect' },
} as const;
export type SubjectName = keyof typeof subjects;

export type Figure = {
  readonly title: string;
  readonly of: keyof LoadResult;
  readonly digits: number;
  /** How the second subject is compared with the first. */
  readonly compare: 'times' | 'added';
};

const figure = (title: string, of: keyof LoadResult, digits: number, compare: Figure['compare']): Figure => ({
  title,
  of,
  digits,
  compare,
});
const perSecond = figure('requests/s', 'perSecond', 0, 'times');
const cpu = figure('CPU µs/request', 'cpuMicrosPerRequest', 0, 'times');
const cpuPerChunk = figure('CPU µs/chunk', 'cpuMicrosPerChunk', 1, 'times');
const chunksPerSecond = figure('chunks/s', 'chunksPerSecond', 0, 'times');
const latency = [figure('p50 ms', 'p50', 2, 'added'), figure('p99 ms', 'p99', 2, 'added')];
const firstByte = [
  figure('first byte p50 ms', 'firstByte50', 2, 'added'),
  figure('first byte p99 ms', 'firstByte99', 2, 'added'),
];
const chunkDelay = [figure('chunk delay p50 ms', 'chunk50', 2, 'added'), figure('chunk delay p99 ms', 'chunk99', 2, 'added')];
const cpuShare = figure('CPU share of a core', 'cpuShare', 2, 'times');
const resident = figure('RSS MiB', 'residentMiB', 0, 'added');

export type Row = {
  readonly title: string;
  /** Options of load.ts. */
  readonly load: readonly string[];
  /** The one to compare with, and the one compared. */
  readonly pair: readonly [SubjectName, SubjectName];
  readonly figures: readonly Figure[];
  readonly goal?: string;
};

const saturated = ['--conns=64'];
const withBare = ['bare', 'gateway'] as const;
const withTenants = ['bare', 'tenants'] as const;
const withIdentity = ['gateway', 'translated'] as const;
const fullStreams = [...saturated, '--stream', '--orders=chunks=100,every=0'];

const TRANSLATED_GOAL = 'at least 0.5 of the same dialect';
const translatedStream = (what: string, to: SubjectName): Row => ({
  title: `Streams of ${what}, translated, 100 chunks as fast as they go, 64 connections`,
  load: fullStreams,
  pair: ['gateway', to],
  figures: [chunksPerSecond, cpuPerChunk, perSecond],
  goal: TRANSLATED_GOAL,
});

export const rows: Readonly<Record<string, Row>> = {
  small: {
    title: 'Small requests (1 KB), 64 connections, closed loop',
    load: saturated,
    pair: withBare,
    figures: [perSecond, cpu, ...latency, resident],
    goal: 'at least 0.75 of the bare proxy',
  },
  rate: {
    title: 'Small requests at a fixed 1,000/s',
    load: [...saturated, '--rate=1000'],
    pair: withBare,
    figures: [...latency, cpuShare],
  },
  tenants: {
    title: 'Small requests at a fixed 1,000/s: limits, budgets, Redis, Postgres',
    load: [...saturated, '--rate=1000'],
    pair: withTenants,
    figures: [...latency, cpuShare],
    goal: 'CPU at most 1.67 times that of the bare proxy, added p99 at most 5 ms',
  },
  'tenants-saturated': {
    title: 'The same, 64 connections, closed loop',
    load: saturated,
    pair: withTenants,
    figures: [perSecond, cpu, ...latency, resident],
  },
  large: {
    title: 'Requests of 64 KB, 64 connections, closed loop',
    load: [...saturated, '--bytes=64000'],
    pair: withBare,
    figures: [perSecond, cpu, ...latency],
  },
  stream: {
    title: 'Streams of 100 chunks as fast as they go, 64 connections',
    load: fullStreams,
    pair: withBare,
    figures: [chunksPerSecond, cpuPerChunk, perSecond],
  },
  streams: {
    title: '1,000 concurrent streams of 30 chunks/s',
    load: ['--conns=1000', '--stream', '--orders=chunks=300,every=33.333'],
    pair: withBare,
    figures: [chunksPerSecond, ...chunkDelay, cpuPerChunk, cpuShare, resident],
    goal: 'added chunk delay p99 at most 5 ms',
  },
  first: {
    title: 'First byte of a stream, 100 streams/s',
    load: [...saturated, '--rate=100', '--stream', '--orders=chunks=10,every=5'],
    pair: withBare,
    figures: firstByte,
    goal: 'p50 within 1 ms of the bare proxy',
  },
  body: {
    title: 'Requests of 5 MB (one picture), 2 connections, closed loop',
    load: ['--conns=2', '--bytes=5000000'],
    pair: withBare,
    figures: [perSecond, cpu, ...latency, resident],
    goal: 'the body is not parsed twice',
  },
  translated: {
    title: 'Translated small requests, 64 connections, closed loop',
    load: saturated,
    pair: withIdentity,
    figures: [perSecond, cpu, ...latency],
  },
  'translated-stream': {
    title: 'Translated streams of 100 chunks as fast as they go, 64 connections',
    load: fullStreams,
    pair: withIdentity,
    figures: [chunksPerSecond, cpuPerChunk, perSecond],
    goal: TRANSLATED_GOAL,
  },
  'translated-stream-responses': translatedStream('Responses', 'toResponses'),
  'translated-stream-gemini': translatedStream('Gemini', 'toGemini'),
  'translated-stream-bedrock': translatedStream('Bedrock', 'toBedrock'),
};
