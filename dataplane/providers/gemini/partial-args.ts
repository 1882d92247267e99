// Arguments of a call that Vertex streams in pieces (`streamFunctionCallArguments`): values by their JSON paths. Put together here, and told
// whole when the call ends: the pieces of an object can come in an order that no JSON text can be streamed in.
import type { JsonRecord } from '#core/json/record.ts';
import { recordsOf, textOf } from '../wire.ts';

type Step = string | number;
type Container = Record<string, unknown> | unknown[];

/** A path with a larger index is a mistake, and would make a list of holes. */
const INDEX_MAX = 10_000;
const DEPTH_MAX = 64;
const CHARS_MAX = 8 * 1024 * 1024;

export class PartialArgs {
  readonly #root: Record<string, unknown> = object();
  #chars = 0;
  /** A path or a value that makes no sense, or too much of it. */
  isBroken = false;

  add(partialArgs: unknown): void {
    for (const piece of recordsOf(partialArgs)) if (!this.isBroken) this.#put(piece);
  }

  json(): string {
    return JSON.stringify(this.#root);
  }

  #put(piece: JsonRecord): void {
    const path = textOf(piece.jsonPath);
    const steps = stepsOf(path);
    this.#chars += path.length + textOf(piece.stringValue).length;
    if (!steps || this.#chars > CHARS_MAX) {
      this.isBroken = true;
      return;
    }
    const last = steps.at(-1)!;
    const parent = this.#containerAt(steps);
    if (parent) set(parent, last, valueIn(piece, get(parent, last)));
    else this.isBroken = true;
  }

  /** What holds the last step, made where it is missing. */
  #containerAt(steps: readonly Step[]): Container | undefined {
    let at: Container = this.#root;
    for (const [i, step] of steps.slice(0, -1).entries()) {
      const next = get(at, step) ?? set(at, step, typeof steps[i + 1] === 'number' ? [] : object());
      if (typeof next !== 'object' || next === null) return undefined;
      at = next as Container;
    }
    return at;
  }
}

/** A text comes in pieces that belong together; a piece without a value ends it, or stands for an empty object. */
function valueIn(piece: JsonRecord, before: unknown): unknown {
  if (typeof piece.stringValue === 'string') return typeof before === 'string' ? before + piece.stringValue : piece.stringValue;
  if (typeof piece.numberValue === 'number') return piece.numberValue;
  if (typeof piece.boolValue === 'boolean') return piece.boolValue;
  if (piece.nullValue !== undefined) return null;
  return before ?? (textOf(piece.jsonPath).endsWith('[]') ? [] : object());
}

/** No prototype: `__proto__` is a name as any other. */
const object = (): Record<string, unknown> => Object.create(null);

const get = (container: Container, step: Step): unknown => (container as Record<Step, unknown>)[step];

function set<T>(container: Container, step: Step, value: T): T {
  (container as Record<Step, unknown>)[step] = value;
  return value;
}

/** `$.recipe.steps[0]`, `$['a.b']` (RFC 9535); undefined: no such path. */
function stepsOf(path: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  const pattern = /\.([^.[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[\]$/y;
  pattern.lastIndex = path.startsWith('$') ? 1 : 0;
  while (pattern.lastIndex < path.length) {
    const match = pattern.exec(path);
    if (!match) return undefined;
    const [, name, index, single, double] = match;
    if (index !== undefined) steps.push(Number(index));
    else if (name !== undefined) steps.push(name);
    else if (single !== undefined || double !== undefined) steps.push((single ?? double)!.replace(/\\(.)/g, '$1'));
  }
  const isSane =
    steps.length > 0 && steps.length <= DEPTH_MAX && steps.every(step => typeof step === 'string' || step <= INDEX_MAX);
  return isSane && typeof steps[0] === 'string' ? steps : undefined;
}
