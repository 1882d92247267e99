// A Dockerfile as steps that tests can carry out, and which files of a folder its .dockerignore lets through.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DockerfileParser, type ModifiableInstruction } from 'dockerfile-ast';

export type Step = {
  readonly keyword: string;
  /** `--mount=type=cache,target=/x` is `mount: 'type=cache,target=/x'`. */
  readonly flags: Readonly<Record<string, string>>;
  /** Without flags, comments and line ends; variables are not put in. */
  readonly text: string;
  /** The words of it, or the items of its JSON. */
  readonly words: readonly string[];
};

export type Stage = { readonly name: string; readonly base: string; readonly steps: readonly Step[] };

export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: { name: string; base: string; steps: Step[] }[] = [];
  const variables: Record<string, string> = {};
  for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
    const step = stepOf(instruction as ModifiableInstruction);
    const [first = '', , name] = step.words;
    if (step.keyword === 'FROM')
      stages.push({ name: name ?? String(stages.length), base: expanded(first, variables), steps: [] });
    else if (stages.length > 0) stages.at(-1)!.steps.push(step);
    else variables[first.split('=')[0]!] = first.slice(first.indexOf('=') + 1);
  }
  return stages;
}

export const expanded = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variables[name] ?? '');

function stepOf(instruction: ModifiableInstruction): Step {
  const flags = instruction.getFlags?.() ?? [];
  const text = (instruction.getArgumentsContent() ?? '')
    .replaceAll(/\\\r?\n/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replace(/^(--\S+ )+/, '')
    .trim();
  return {
    keyword: instruction.getKeyword(),
    flags: Object.fromEntries(flags.map(flag => [flag.getName(), flag.getValue() ?? ''])),
    text,
    words: text.startsWith('[') ? (JSON.parse(text) as string[]) : text.split(' '),
  };
}

/** `KEY=value` pairs of an ENV, LABEL or ARG. */
export const pairsOf = ({ words }: Step): Readonly<Record<string, string>> =>
  Object.fromEntries(words.map(word => [word.split('=')[0]!, word.slice(word.indexOf('=') + 1)]));

/** Paths of the files that a build sees, relative to the folder. */
export function contextFiles(folder: string): readonly string[] {
  const patterns = readFileSync(path.join(folder, '.dockerignore'), 'utf8')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => ({ isException: line.startsWith('!'), fits: patternOf(line.replace(/^!/, '')), text: line.slice(1) }));
  // The last pattern that fits a path, or a folder it is in, decides.
  const isLetIn = (file: string) =>
    patterns.findLast(({ fits }) => foldersOf(file).some(at => fits.test(at)))?.isException ?? true;
  const mayHold = (at: string) =>
    isLetIn(at) || patterns.some(({ isException, text }) => isException && text.startsWith(`${at}/`));
  const under = (at: string): string[] =>
    readdirSync(path.join(folder, at), { withFileTypes: true }).flatMap(entry => {
      const file = path.join(at, entry.name);
      if (entry.isDirectory()) return mayHold(file) ? under(file) : [];
      return isLetIn(file) ? [file] : [];
    });
  return under('').sort();
}

/** Unlike a shell's, its `*` takes names that begin with a dot. */
const patternOf = (glob: string): RegExp =>
  new RegExp(
    `^${glob.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll(/\*\*\/|\*/g, stars => (stars === '*' ? '[^/]*' : '(.*/)?'))}$`,
  );

/** The path itself, and every folder above it. */
const foldersOf = (file: string): readonly string[] =>
  file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
