// The thread of a ledger in SQLite: takes the name of a method and its arguments, and posts the answer.
import { parentPort, workerData } from 'node:worker_threads';
import { sqliteStore } from './sqlite-store.ts';
import { type Retention, storedLedger } from './stored.ts';

export type Start = Retention & { readonly file: string };
export type Call = { readonly id: number; readonly method: string; readonly args: readonly unknown[] };
export type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

const { file, ...retention } = workerData as Start;
const store = sqliteStore(file);
const methods = { ...storedLedger(store, retention), insert: store.insert } as unknown as Record<
  string,
  (...args: readonly unknown[]) => Promise<unknown>
>;

parentPort!.on('message', ({ id, method, args }: Call) => {
  methods[method]!(...args).then(
    value => parentPort!.postMessage({ id, value } satisfies Answer),
    (error: unknown) =>
      parentPort!.postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer),
  );
});
