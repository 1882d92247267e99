// Streams as bytes on the wire, and every place at which they can be cut: numbered, so that a run can take any part of them.
import { chunk, head, LAST_CHUNK } from './wire-faults.ts';

/** How the connection ends. `until-close`: a body without a length, of which HTTP takes a FIN for its end. */
export const endings = ['chunked, FIN', 'chunked, RST', 'until-close, FIN'] as const;
export type Ending = (typeof endings)[number];

/** `offset`: of the bytes of the whole answer, head and framing included, how many are sent. */
export type Cut = { readonly stream: number; readonly ending: Ending; readonly offset: number };

type Sent = { readonly bytes: Buffer; readonly bodyAt: (offset: number) => string };

export class CutPlaces {
  readonly #sent: ReadonlyMap<string, Sent>;
  readonly #spans: readonly { readonly stream: number; readonly ending: Ending; readonly end: number }[];

  /** @param streams bodies of streams */
  constructor(streams: readonly string[]) {
    const all = streams.flatMap((body, stream) => endings.map(ending => ({ stream, ending, sent: sentOf(body, ending) })));
    this.#sent = new Map(all.map(({ stream, ending, sent }) => [`${stream} ${ending}`, sent]));
    let end = 0;
    this.#spans = all.map(({ stream, ending, sent }) => {
      end += sent.bytes.length;
      return { stream, ending, end };
    });
  }

  get count(): number {
    return this.#spans.at(-1)!.end;
  }

  at(index: number): Cut {
    const { stream, ending, end } = this.#spans.find(span => index < span.end)!;
    return { stream, ending, offset: index - (end - this.#of({ stream, ending }).bytes.length) };
  }

  bytesOf(cut: Cut): Buffer {
    return this.#of(cut).bytes.subarray(0, cut.offset);
  }

  /** What of the body is in these bytes. */
  bodyOf(cut: Cut): string {
    return this.#of(cut).bodyAt(cut.offset);
  }

  /**
   * So many different places, spread over all, in an order that mixes early and late ones: no upstream fails a thousand times in a row.
   * The seed says where it begins.
   */
  *some(count: number, seed: number): Generator<Cut> {
    const total = this.count;
    let step = Math.max(1, Math.round(total * 0.618));
    while (gcd(step, total) > 1) step++;
    for (let i = 0; i < Math.min(count, total); i++) yield this.at((seed + i * step) % total);
  }

  #of({ stream, ending }: Pick<Cut, 'stream' | 'ending'>): Sent {
    return this.#sent.get(`${stream} ${ending}`)!;
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function sentOf(body: string, ending: Ending): Sent {
  const type = { 'content-type': 'text/event-stream' };
  if (ending === 'until-close, FIN') {
    const start = head('200 OK', { ...type, connection: 'close' });
    const bytes = Buffer.from(start + body);
    return { bytes, bodyAt: offset => bytes.subarray(start.length, offset).toString() };
  }
  const start = head('200 OK', { ...type, 'transfer-encoding': 'chunked', connection: 'close' });
  // Chunks end where frames do not.
  const pieces = body.match(/[\s\S]{1,97}/gu) ?? [];
  const bytes = Buffer.concat([Buffer.from(start), ...pieces.map(chunk), Buffer.from(LAST_CHUNK)]);
  const bodyAt = (offset: number): string => {
    let at = start.length;
    let text = '';
    for (const piece of pieces) {
      const size = Buffer.byteLength(piece);
      const from = at + `${size.toString(16)}\r\n`.length;
      at = from + size + 2;
      text += Buffer.from(piece)
        .subarray(0, Math.max(0, offset - from))
        .toString();
    }
    return text;
  };
  return { bytes, bodyAt };
}

/** Runs over all of them, so many at once. @returns how many there were */
export async function eachCut(cuts: Iterable<Cut>, atOnce: number, run: (cut: Cut) => Promise<void>): Promise<number> {
  const left = cuts[Symbol.iterator]();
  let count = 0;
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      count++;
      await run(next.value);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return count;
}
