// What servers of this wire keep of their responses, and where it is asked for.

import { isRecord } from '#core/json/record.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, Keeps, Target } from '../../provider.ts';
import { recordOf, recordsOf, textOf } from '../../wire.ts';
import { failureOf, finishOf } from './finish.ts';
import { usageOf } from './usage.ts';

type Key = ReturnType<Keeps['keysIn']>[number];

/** @param addressOf where a path below the provider's base is, with the headers that prove who asks */
export const keepsOf = <C extends Connection>(addressOf: (target: Target<C>, path: string) => Address): Keeps<C> => ({
  mark: /"response\.(?:created|completed|incomplete|failed|cancelled|output_item\.done)"/,
  keysIn,
  address: (target, id, below) => addressOf(target, `/responses/${encodeURIComponent(id)}${below}`),
  stateOf: reply => {
    const response = recordOf(reply);
    const usage = usageOf(response.usage);
    return { isOver: (failureOf(response) ?? finishOf(response, false)) !== undefined, ...(usage && { usage }) };
  },
});

/** A whole response, or an event that holds one or an item of it. */
function keysIn(reply: unknown): readonly Key[] {
  const told = recordOf(reply);
  const response = isRecord(told.response) ? told.response : told;
  return [
    ...keyOf('response', response),
    ...recordsOf(response.output).flatMap(item => keyOf('item', item)),
    ...(isRecord(told.item) ? keyOf('item', told.item) : []),
  ];
}

function keyOf(kind: Key['kind'], { id, object, type }: Readonly<Record<string, unknown>>): Key[] {
  const isOne = kind === 'item' || object === 'response' || type === undefined;
  return isOne && textOf(id) !== '' ? [{ kind, id: textOf(id) }] : [];
}
