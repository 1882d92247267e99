// What servers of this wire keep of their responses, and where it is asked for.

import { promptTokens } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, Keeps, KeptKey, Target, Telling } from '../../provider.ts';
import { recordOf, recordsOf, textOf } from '../../wire.ts';
import { failureOf, finishOf } from './finish.ts';
import { usageIn, usageOf } from './usage.ts';

export const telling: Telling = {
  mark: /"response\.(?:created|completed|incomplete|failed|cancelled|output_item\.done)"/,
  keysIn,
};

/** @param addressOf where a path below the provider's base is, with the headers that prove who asks */
export const keepsOf = <C extends Connection>(addressOf: (target: Target<C>, path: string) => Address): Keeps<C> => ({
  address: (target, id, below) => addressOf(target, `/responses/${encodeURIComponent(id)}${below}`),
  stateOf: reply => {
    const response = recordOf(reply);
    const usage = usageIn(response);
    return { isOver: (failureOf(response) ?? finishOf(response, false)) !== undefined, ...(usage && { usage }) };
  },
});

/** A whole response, or an event that holds one or an item of it. One that is gone on with is read whole, an item of it by itself. */
function keysIn(reply: unknown): readonly KeptKey[] {
  const told = recordOf(reply);
  const response = isRecord(told.response) ? told.response : told;
  const usage = usageOf(response.usage);
  return [
    ...keyOf('response', response, usage && promptTokens(usage) + usage.output),
    ...recordsOf(response.output).flatMap(item => [...keyOf('item', item, usage?.output), ...containerOf(item)]),
    ...(isRecord(told.item) ? [...keyOf('item', told.item), ...containerOf(told.item)] : []),
  ];
}

/** Where the provider ran what a model wrote: its files are asked for there. */
const containerOf = ({ container_id }: JsonRecord): KeptKey[] =>
  textOf(container_id) === '' ? [] : [{ kind: 'container', id: textOf(container_id) }];

function keyOf(kind: KeptKey['kind'], { id, object }: JsonRecord, tokens?: number): KeptKey[] {
  const isOne = kind === 'item' || object === 'response';
  return isOne && textOf(id) !== '' ? [{ kind, id: textOf(id), ...(tokens !== undefined && { tokens }) }] : [];
}
