// The strings of a JSON text where they stand, for those who change some of them: all other bytes stay as they are.

/** A string that is a value. */
export type JsonString = {
  /** In the text; quotes included. */
  readonly start: number;
  readonly end: number;
  /** Its name in the object it is in, or that of the list it is in. */
  readonly key: string;
  /** In a list. */
  readonly at: number | undefined;
  readonly within: JsonNode;
};

/** An object or a list. */
export type JsonNode = {
  readonly parent: JsonNode | undefined;
  /** Its name, or that of the list it is in. */
  readonly key: string;
  /** In a list. */
  readonly at: number | undefined;
  readonly isList: boolean;
  /** Numbers in it whose names end in `index`: what an event of a stream is about. */
  indexes: string;
};

type Open = JsonNode & {
  next: number;
  name: string /** Its name is one that `indexes` has. */;
  isIndex: boolean;
  readonly start: number;
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Objects and lists that are taken whole: nothing in them is looked at. */
export type Taken = { has(name: string): boolean; take(start: number, end: number): void };

/**
 * One by one: a text may have millions.
 *
 * @param json valid JSON
 */
export function* stringsIn(json: string, taken?: Taken): Generator<JsonString, void> {
  let open: Open | undefined;
  let skips: Open | undefined;
  /** The string that was read last may be a name. */
  let isName = false;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: {
        const node = opened(open, json.charCodeAt(at) === 0x5b, at);
        if (!skips && open && taken?.has(node.key)) skips = node;
        open = node;
        isName = !node.isList;
        break;
      }
      case 0x7d: // }
      case 0x5d:
        if (open === skips && skips) {
          taken?.take(skips.start, at + 1);
          skips = undefined;
        }
        open = open?.parent as Open | undefined;
        isName = false;
        break;
      case 0x2c: // ,
        if (open?.isList) open.next++;
        isName = open?.isList === false;
        break;
      case QUOTE: {
        const end = endOfString(json, at);
        if (isName && open) named(open, textOfString(json, at, end));
        else if (open && !skips) yield { start: at, end, key: keyIn(open), at: indexIn(open), within: open };
        isName = false;
        at = end - 1;
        break;
      }
      default:
        if (open?.isIndex) at = noteIndex(json, at, open);
    }
  }
}

const indexIn = ({ isList, next }: Open): number | undefined => (isList ? next : undefined);
const keyIn = ({ isList, key, name }: Open): string => (isList ? key : name);

function opened(parent: Open | undefined, isList: boolean, start: number): Open {
  const key = parent ? keyIn(parent) : '';
  return { parent, key, at: parent && indexIn(parent), indexes: '', isList, next: 0, name: '', isIndex: false, start };
}

function named(open: Open, name: string): void {
  open.name = name;
  open.isIndex = name.length <= MAX_INDEX_NAME && INDEX.test(name);
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; ; ) {
    const end = json.indexOf('"', at);
    if (end < 0) return json.length;
    let slashes = end;
    while (json.charCodeAt(slashes - 1) === BACKSLASH) slashes--;
    if ((end - slashes) % 2 === 0) return end + 1;
    at = end + 1;
  }
}

export function textOfString(json: string, start: number, end: number): string {
  const inside = json.slice(start + 1, end - 1);
  return inside.includes('\\') ? (JSON.parse(json.slice(start, end)) as string) : inside;
}

const INDEX = /index$/i;
/** `contentBlockIndex` has 17. */
const MAX_INDEX_NAME = 32;
/** No event has more than three. */
const MAX_INDEXES = 128;
const NUMBER = /[0-9]+/y;

function noteIndex(json: string, at: number, node: Open): number {
  NUMBER.lastIndex = at;
  const number = NUMBER.exec(json)?.[0];
  if (number === undefined) return at;
  if (node.indexes.length < MAX_INDEXES) node.indexes += `${node.indexes === '' ? '' : ','}${node.name}=${number}`;
  return at + number.length - 1;
}

export type Splice = { readonly start: number; readonly end: number; readonly text: string };

/** @param splices in order */
export function splicedText(json: string, splices: readonly Splice[]): string {
  let out = '';
  let from = 0;
  for (const { start, end, text } of splices) {
    out += json.slice(from, start) + text;
    from = end;
  }
  return out + json.slice(from);
}
