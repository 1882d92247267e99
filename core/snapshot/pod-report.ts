// What a data-plane pod tells the operator of itself, and how the operator reads that of pods of another version.
import type { EndpointStateName } from '../status/readiness.ts';
import type { Rejection } from './codec.ts';
import { list, mapOf, number, object, optional, type Read, read, required, text } from './reader.ts';

/** `GET /configz`: what it serves. Asked for at every change, many times a second. */
export type ConfigReport = {
  /** The version of the schema that it writes and reads best. */
  readonly schemaVersion: number;
  readonly generation: number;
  /** Of the credentials in use. */
  readonly credentials: number;
  /** Epoch milliseconds. */
  readonly loadedAt: number;
  readonly lastError?: string;
  readonly rejected: readonly Rejection[];
};

/** `GET /statusz`: how its surroundings are, for the statuses of objects. */
export type SurroundingsReport = {
  /** By provider id, then by endpoint. */
  readonly engines: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Budgets of which at least a hundredth is used. */
  readonly budgets: readonly BudgetUse[];
  /** Providers that refuse their credential. */
  readonly authFailed: readonly string[];
};

/** `key`: `namespace/name`; empty for a budget of the tenant. `used`: share of the amount, in hundredths. */
export type BudgetUse = { readonly tenant: string; readonly key: string; readonly budget: string; readonly used: number };

const configReport = object<ConfigReport>({
  schemaVersion: required(number),
  generation: required(number),
  credentials: required(number),
  loadedAt: required(number),
  lastError: optional(text),
  rejected: required(list(object<Rejection>({ kind: required(text as never), id: required(text), message: required(text) }))),
});

const surroundingsReport = object<SurroundingsReport>({
  engines: required(mapOf(mapOf(text))),
  budgets: required(
    list(object<BudgetUse>({ tenant: required(text), key: required(text), budget: required(text), used: required(number) })),
  ),
  authFailed: required(list(text)),
});

export const readConfigReport = (value: unknown): Read<ConfigReport> => read(configReport, value);
export const readSurroundings = (value: unknown): Read<SurroundingsReport> => read(surroundingsReport, value);

/** A state that this version does not know counts as none. */
export const stateName = (state: string): EndpointStateName =>
  (['ready', 'saturated', 'sleeping', 'wedged', 'stale', 'loading', 'draining'] as const).find(known => known === state) ??
  'unknown';
