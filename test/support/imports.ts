// Every import of a TypeScript source, in whatever form it is written.
import { type Token, tokensOf } from './tokens.ts';

export type Import = {
  /** Absent where the path is computed, so that nobody can check it. */
  readonly specifier?: string;
  readonly line: number;
  /** With its module, when it is needed (`import('x')`), or never, as it is of types alone. */
  readonly loads: 'at-once' | 'when-needed' | 'never';
};

export function importsOf(source: string): Import[] {
  const tokens = tokensOf(source);
  return tokens.flatMap((token, at) => {
    const found = token.kind === 'word' && tokens[at - 1]?.text !== '.' ? forms.get(token.text)?.(tokens, at) : undefined;
    return found ? [{ ...found, line: token.line, loads: loadsOf(tokens, at) }] : [];
  });
}

type Form = (tokens: readonly Token[], at: number) => { specifier?: string } | undefined;

const forms = new Map<string, Form>(
  Object.entries({
    // import 'x'; import a, {b} from 'x'; import type ...; import('x'), in types too. Not import.meta.
    import: (tokens, at) => {
      const next = tokens[at + 1];
      if (next?.kind === 'string') return { specifier: next.value };
      if (next?.text === '(') return argument(tokens, at + 2);
      return next?.text === '.' ? undefined : fromClause(tokens, at + 1);
    },
    // export * from 'x'; export {a} from 'x'; export type {T} from 'x'. Not export const, not export {a}.
    export: (tokens, at) => {
      const next = tokens[at + 1]?.text === 'type' ? at + 2 : at + 1;
      return tokens[next]?.text === '*' || tokens[next]?.text === '{' ? fromClause(tokens, next) : undefined;
    },
    require: (tokens, at) => (tokens[at + 1]?.text === '(' ? argument(tokens, at + 2) : undefined),
  }),
);

/** A type that is written `import('x').T` is taken for an import, unless it follows `typeof`. */
function loadsOf(tokens: readonly Token[], at: number): Import['loads'] {
  const [before, next] = [tokens[at - 1]?.text, tokens[at + 1]?.text];
  if (next === 'type' || before === 'typeof') return 'never';
  return next === '(' && tokens[at]?.text === 'import' ? 'when-needed' : 'at-once';
}

function argument(tokens: readonly Token[], at: number): { specifier?: string } {
  const token = tokens[at];
  return token?.kind === 'string' ? { specifier: token.value } : {};
}

/** An import clause holds names, commas, braces and a star only: anything else ends the search. */
function fromClause(tokens: readonly Token[], start: number): { specifier: string } | undefined {
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at]!;
    const next = tokens[at + 1];
    if (token.text === 'from' && next?.kind === 'string') return { specifier: next.value };
    if (token.kind === 'other' && !['{', '}', ',', '*'].includes(token.text)) return undefined;
  }
  return undefined;
}
