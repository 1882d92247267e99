// What answers of the chat completions wire tell of what their provider keeps: audio, which later turns name by its id alone.
import { isRecord } from '#core/json/record.ts';
import type { KeptKey, Telling } from '../provider.ts';
import { recordOf, recordsOf, textOf } from '../wire.ts';

export const telling: Telling = {
  mark: /"audio"/,
  keysIn: reply => recordsOf(recordOf(reply).choices).flatMap(({ message, delta }) => audioIn(message ?? delta)),
};

function audioIn(said: unknown): KeptKey[] {
  const { audio } = recordOf(said);
  return isRecord(audio) && textOf(audio.id) !== '' ? [{ kind: 'audio', id: textOf(audio.id) }] : [];
}
