// The ledger in an SQLite file, for a process without Postgres. Statements of node:sqlite block their thread, so none runs on the main one: writes
// have a thread and reports have another, each started when it is first needed.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { textOf } from './clean.ts';
import type { Ledger } from './ledger.ts';
import type { Answer, Call, Start } from './sqlite-worker.ts';
import { ledgerOf, type Retention } from './stored.ts';

export type SqliteOptions = Retention & { readonly file: string };

export function sqliteLedger(options: SqliteOptions): Ledger {
  mkdirSync(dirname(options.file), { recursive: true });
  const [writes, reports] = [threaded(options), threaded(options)];
  // Its transactions keep writes waiting on whatever thread they are, and a process that is asked for no report has one thread less, 13 MiB.
  return { ...ledgerOf(writes, reports), maintain: now => writes.maintain(now) };
}

type Pending = { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void };

function threaded(start: Start): Ledger {
  const thread = new LedgerThread(start);
  const method =
    <Name extends keyof Ledger>(name: Name) =>
    (...args: Parameters<Ledger[Name]>): Promise<never> =>
      thread.call(name, args);
  return {
    migrate: method('migrate'),
    write: async (rows, json) => {
      if (rows.length > 0) await thread.call('insert', [textOf(rows, json)]);
    },
    rowsOf: method('rowsOf'),
    overdue: method('overdue'),
    spend: method('spend'),
    figures: method('figures'),
    rows: method('rows'),
    audit: method('audit'),
    audits: method('audits'),
    maintain: method('maintain'),
    close: () => thread.close(),
  };
}

/** A thread that dies takes its calls with it; the next call starts another. */
class LedgerThread {
  readonly #start: Start;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #calls = 0;

  constructor(start: Start) {
    this.#start = start;
  }

  call(method: string, args: readonly unknown[]): Promise<never> {
    this.#worker ??= this.#started();
    const worker = this.#worker;
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, method, args } satisfies Call);
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    await this.call('close', []);
    this.#worker = undefined;
    await worker.terminate();
  }

  #started(): Worker {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: this.#start });
    worker.on('message', answer => this.#answered(worker, answer));
    worker.on('error', error => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, new Error('the thread of the ledger has ended')));
    return worker;
  }

  #answered(worker: Worker, answer: Answer): void {
    const call = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) worker.unref();
    if ('error' in answer) call?.reject(new Error(answer.error));
    else call?.resolve(answer.value as never);
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const call of this.#pending.values()) call.reject(error instanceof Error ? error : new Error(String(error)));
    this.#pending.clear();
  }
}
