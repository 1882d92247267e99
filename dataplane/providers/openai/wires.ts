// Which wires a target is spoken to in, and which of them is its own: said by the resource, else known of the model or the engine.
import type { Connection, SpokenDialect } from '#core/snapshot/snapshot.ts';
import type { Provider } from '../provider.ts';

export type Spoken<C extends Connection> = readonly [Provider<C>, ...Provider<C>[]];

/** @returns undefined: the resource says nothing */
export function declared<C extends Connection>(
  all: Readonly<Partial<Record<SpokenDialect, Provider<C>>>>,
  dialects: readonly SpokenDialect[] | undefined,
): Spoken<C> | undefined {
  const [first, ...others] = (dialects ?? []).map(name => all[name]).filter(wire => wire !== undefined);
  return first && [first, ...others];
}
