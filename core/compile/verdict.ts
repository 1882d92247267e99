// The verdict on one object: what compile has to say about it, collected while it works and frozen at the end.
import { CONDITION_TYPES, type ConditionType } from '../resources/common.ts';
import type { Path } from '../resources/read.ts';
import type { EpochMillis } from '../units.ts';

export type Condition = {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

export type Problem = { readonly path: string; readonly line?: number; readonly message: string };

export type Verdict = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
  /** Nothing in it needs mending. */
  readonly sound: boolean;
  /** It, or what is sound of it, is in the snapshot. */
  readonly live: boolean;
  readonly conditions: readonly Condition[];
  readonly problems: readonly Problem[];
  /** Fields that are set and whose behaviour comes with a later release. */
  readonly notInForce: readonly string[];
};

/** Where an object stands. `lineOf` gives the line of the field, or of the nearest thing around it. */
export type Source = { readonly file: string; readonly line: number; readonly lineOf: (path: Path) => number | undefined };

type Identity = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly source?: Source | undefined;
};

type Finding = { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string };

/** The open verdict of one object. */
export class Draft {
  readonly identity: Identity;
  live = false;
  sound = true;
  notInForce: readonly string[] = [];
  readonly #problems: Problem[] = [];
  readonly #findings = new Map<ConditionType, Finding>();

  constructor(identity: Identity) {
    this.identity = identity;
  }

  get id(): string {
    return `${this.identity.namespace}/${this.identity.name}`;
  }

  /** A condition that does not hold. The first reason stays; each is a problem of its own. */
  fail(type: ConditionType, reason: string, path: Path, message: string): void {
    this.sound = false;
    this.remark(path, message);
    if (this.#findings.get(type)?.status !== 'False') this.state(type, 'False', reason, withPath(path, message));
  }

  /** A condition as it is, nothing to mend about it. */
  state(type: ConditionType, status: 'True' | 'False', reason: string, message: string): void {
    this.#findings.set(type, { status, reason, message });
  }

  /** Worth reading, and changes nothing. */
  remark(path: Path, message: string): void {
    const line = this.identity.source?.lineOf(path);
    this.#problems.push({ path: pathText(path), ...(line !== undefined && { line }), message });
  }

  isFalse(type: ConditionType): boolean {
    return this.#findings.get(type)?.status === 'False';
  }

  verdict(): Verdict {
    const { kind, namespace, name, source } = this.identity;
    return {
      kind,
      namespace,
      name,
      ...(source && { file: source.file, line: source.line }),
      sound: this.sound,
      live: this.live,
      conditions: CONDITION_TYPES.map(type => ({ type, ...this.#conditionOf(type) })),
      problems: this.#problems,
      notInForce: this.notInForce,
    };
  }

  #conditionOf(type: ConditionType): Omit<Condition, 'type'> {
    const unsaid =
      type === 'Accepted' || (type === 'ResolvedRefs' && !this.isFalse('Accepted'))
        ? ({ status: 'True', reason: type, message: '' } as const)
        : ({ status: 'Unknown', reason: 'Pending', message: '' } as const);
    return this.#findings.get(type) ?? unsaid;
  }
}

const withPath = (path: Path, message: string) => (path.length > 0 ? `${pathText(path)}: ${message}` : message);

/** `spec.models[0].price`; keys that are no plain words are quoted. */
function pathText(path: Path): string {
  const part = (key: string | number) =>
    typeof key === 'number' ? `[${key}]` : /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 64))}]`;
  return path.map(part).join('').replace(/^\./, '');
}

/** Who is older; objects without a time of creation (files) are equal and younger than all others, then the name decides. */
type Aged = { readonly id: string; readonly createdAt?: EpochMillis | undefined };
export const byAge = (a: Aged, b: Aged): number => {
  const ageA = a.createdAt ?? Number.POSITIVE_INFINITY;
  const ageB = b.createdAt ?? Number.POSITIVE_INFINITY;
  if (ageA !== ageB) return ageA < ageB ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
};
