// Puts the parts of a response in sequence: its wire names by index which item and which content a piece belongs to, and may interleave
// them; neutral parts follow one another (core/chat/reply.ts). What belongs to a later part waits until the earlier ones have ended.
import type { ChatEvent } from '#core/chat/reply.ts';

type Part = { readonly key: string; readonly waiting: ChatEvent[]; hasContent: boolean; isOver: boolean };

const HELD_MAX = 8 * 1024 * 1024;
/** What an event costs besides its text, so that many tiny ones count as well. */
const EVENT_COST = 64;
const PARTS_MAX = 4096;

export class Parts {
  /** The first is the open one. */
  readonly #parts: Part[] = [];
  /** Keys of all that have begun. */
  readonly #seen = new Set<string>();
  #held = 0;

  /** More is held back, or more parts have begun, than one answer may have. */
  get isTooMuch(): boolean {
    return this.#held > HELD_MAX || this.#seen.size > PARTS_MAX;
  }

  hasBegun(key: string): boolean {
    return this.#seen.has(key);
  }

  /** Whether anything was said in the part after its start. */
  hasContent(key: string): boolean {
    return this.#parts.find(part => part.key === key)?.hasContent === true;
  }

  begin(key: string, start: ChatEvent): ChatEvent[] {
    if (this.#seen.has(key)) return [];
    this.#seen.add(key);
    this.#parts.push({ key, waiting: [], hasContent: false, isOver: false });
    return this.#add(key, start);
  }

  add(key: string, event: ChatEvent): ChatEvent[] {
    const part = this.#parts.find(({ key: its }) => its === key);
    if (part) part.hasContent = true;
    return this.#add(key, event);
  }

  end(key: string): ChatEvent[] {
    const part = this.#parts.find(({ key: its, isOver }) => its === key && !isOver);
    if (!part) return [];
    const events = this.#add(key, { kind: 'part-end' });
    part.isOver = true;
    return [...events, ...this.#advance()];
  }

  /** The answer is over, and all of its parts with it. */
  endAll(): ChatEvent[] {
    return [...this.#parts].flatMap(({ key }) => this.end(key));
  }

  #add(key: string, event: ChatEvent): ChatEvent[] {
    const at = this.#parts.findIndex(part => part.key === key);
    const part = this.#parts[at];
    if (!part || part.isOver) return [];
    if (at === 0) return [event];
    part.waiting.push(event);
    this.#held += costOf(event);
    return [];
  }

  #advance(): ChatEvent[] {
    const events: ChatEvent[] = [];
    while (this.#parts[0]?.isOver) {
      this.#parts.shift();
      const next = this.#parts[0];
      for (const event of next?.waiting.splice(0) ?? []) {
        this.#held -= costOf(event);
        events.push(event);
      }
    }
    return events;
  }
}

function costOf(event: ChatEvent): number {
  if ('text' in event) return EVENT_COST + event.text.length;
  if (event.kind === 'citation') return EVENT_COST + JSON.stringify(event.citation).length;
  return EVENT_COST + (event.kind === 'tool-call-delta' ? event.json.length : 0);
}
