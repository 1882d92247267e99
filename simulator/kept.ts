// Responses that the simulator keeps, as OpenAI does: read again, deleted, cancelled, referred to. One that is worked on in the background is
// over when it has been looked at for the second time.
import { isRecord, type Json } from './shape.ts';
import { openaiError } from './wires/openai-errors.ts';
import type { Kept, KeptResponse, Refusal } from './wires/wire.ts';

const KEPT_MAX = 1000;
const LOOKS = 2;

type Entry = KeptResponse & { looks: number; isCancelled: boolean };

export class KeptResponses implements Kept {
  readonly #entries = new Map<string, Entry>();

  keep(kept: KeptResponse): void {
    this.#entries.set(kept.id, { ...kept, looks: 0, isCancelled: false });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > KEPT_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  response(id: string): KeptResponse | undefined {
    return this.#entries.get(id);
  }

  item(id: string): Json | undefined {
    for (const { response, input } of this.#entries.values())
      for (const item of [...(response.output as Json[]), ...input]) if (isRecord(item) && item.id === id) return item as Json;
    return undefined;
  }

  /** What is asked of one by its id. */
  answer(method: string, id: string, below: string): Refusal {
    const entry = this.#entries.get(id);
    if (!entry) return openaiError(404, `Response with id '${id}' not found.`);
    if (method === 'DELETE') {
      this.#entries.delete(id);
      return { status: 200, body: { id, object: 'response', deleted: true } };
    }
    if (below === '/cancel') return this.#cancelled(entry);
    if (below === '/input_items')
      return { status: 200, body: { object: 'list', data: entry.input, has_more: false, first_id: null, last_id: null } };
    entry.looks++;
    return { status: 200, body: standing(entry) };
  }

  #cancelled(entry: Entry): Refusal {
    if (!entry.inBackground) return openaiError(400, 'Cannot cancel a synchronous response.');
    entry.isCancelled = true;
    return { status: 200, body: standing(entry) };
  }
}

function standing({ response, inBackground, isCancelled, looks }: Entry): Json {
  if (isCancelled) return { ...response, status: 'cancelled', output: [], usage: null };
  return inBackground && looks < LOOKS ? { ...response, status: 'in_progress', output: [], usage: null } : response;
}
