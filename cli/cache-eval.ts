// `tollgate cache-eval`: what the semantic cache would have done with pairs of prompts of one's own.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Mode } from '#core/cache/difference.ts';
import { type Judged, missesByReason, pairsOf, type Scores, scoresOf, wilson } from '#core/cache/evaluate.ts';
import type { Embedder } from '#dataplane/cache/embedders/embedder.ts';
import { judge, vectorsOf } from '#dataplane/cache/judge-pairs.ts';

export type CacheEvalIo = { readonly out: (text: string) => void; readonly err: (text: string) => void };

const help = `Usage: tollgate cache-eval FILE.tsv [options]

Reads pairs of prompts, one a line: label, prompt, prompt and perhaps a source, between tabs. Label 1: the answer to the first serves the
second; 0: it would be a wrong answer. Says how many of the former the semantic cache would serve, and how many of the latter.

  --mode M        Strict, Careful or Balanced (default Careful)
  --threshold T   least similarity, 0 to 1 (default 0.80)
  --embedder E    builtin, or the path of a folder with model.onnx and vocab.txt (default builtin)
  --explain       every miss and every false hit, with its reason
  --json          one JSON document for machines
  --help          this text

Exit code: 0 when the file was judged, 1 when it could not be read, 2 for arguments it does not understand.
`;

const modes: readonly Mode[] = ['Strict', 'Careful', 'Balanced'];

export async function cacheEval(args: string[], { out, err }: CacheEvalIo): Promise<number> {
  const options = readOptions(args);
  if (typeof options === 'string') {
    err(`tollgate cache-eval: ${options}\n\n${help}`);
    return 2;
  }
  if (options.help) {
    out(help);
    return 0;
  }
  const text = await readFile(options.file, 'utf8').catch((error: Error) => error);
  if (text instanceof Error) {
    err(`tollgate cache-eval: ${text.message}\n`);
    return 1;
  }
  const { pairs, faults } = pairsOf(text);
  for (const fault of faults) err(`${options.file}: ${fault}\n`);
  if (faults.length > 0) return 1;
  const embedder = await embedderOf(options.embedder).catch((error: Error) => error);
  if (embedder instanceof Error) {
    err(`tollgate cache-eval: ${embedder.message}\n`);
    return 1;
  }
  const judged = judge(pairs, options.mode, options.threshold, await vectorsOf(pairs, embedder), embedder);
  await embedder.close();
  const scores = scoresOf(judged);
  if (options.json)
    out(`${JSON.stringify({ ...scores, ...(options.explain && { pairs: judged.filter(isWrong).map(asJson) }) })}\n`);
  else out(report(scores, judged, options));
  return 0;
}

type Options = {
  readonly help: boolean;
  readonly file: string;
  readonly mode: Mode;
  readonly threshold: number;
  readonly embedder: string;
  readonly explain: boolean;
  readonly json: boolean;
};

/** What was asked for, or what is wrong with it. */
function readOptions(args: string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        mode: { type: 'string', default: 'Careful' },
        threshold: { type: 'string', default: '0.80' },
        embedder: { type: 'string', default: 'builtin' },
        explain: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const mode = modes.find(name => name.toLowerCase() === values.mode.toLowerCase());
    const threshold = Number(values.threshold);
    if (!mode) return `there is no mode '${values.mode}': Strict, Careful or Balanced`;
    if (values.threshold.trim() === '' || !(threshold >= 0 && threshold <= 1))
      return `'${values.threshold}' is no threshold from 0 to 1`;
    if (positionals.length !== 1 && !values.help) return 'one file is needed';
    return { ...values, mode, threshold, file: positionals[0] ?? '' };
  } catch (error) {
    return (error as Error).message;
  }
}

async function embedderOf(name: string): Promise<Embedder> {
  if (name === 'builtin') return (await import('#dataplane/cache/embedders/static.ts')).staticEmbedder();
  return (await import('#dataplane/cache/embedders/onnx.ts')).onnxEmbedder(name);
}

const isWrong = ({ same, decision }: Judged): boolean => same !== decision.hit;

const asJson = ({ same, a, b, source, similarity, decision }: Judged) => ({
  label: same ? 1 : 0,
  a,
  b,
  ...(source && { source }),
  similarity,
  ...(!decision.hit && { refusedBy: decision.refusedBy, detail: decision.detail }),
});

function report({ positives, served, negatives, falseHits }: Scores, judged: readonly Judged[], options: Options): string {
  const misses = [...missesByReason(judged)].map(([reason, count]) => `${reason} ${count}`);
  const lines = [
    `${options.file}: ${options.mode}, threshold ${options.threshold}, embedder ${options.embedder}`,
    '',
    '               count     of   share   95 % interval (Wilson)',
    row('recall', served, positives),
    row('false hits', falseHits, negatives),
    ...(misses.length > 0 ? ['', `misses by reason: ${misses.join(', ')}`] : []),
    ...(options.explain ? ['', ...judged.filter(isWrong).map(explained)] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function row(name: string, count: number, of: number): string {
  const [low, high] = wilson(count, of);
  const share = of === 0 ? '-' : percent(count / of);
  return `${name.padEnd(12)}${String(count).padStart(8)}${String(of).padStart(7)}${share.padStart(8)}   ${percent(low)} to ${percent(high)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function explained({ same, a, b, similarity, decision }: Judged): string {
  const reason = decision.hit ? 'false hit' : `miss: ${decision.refusedBy} (${decision.detail})`;
  return `${same ? 1 : 0}  ${similarity.toFixed(4)}  ${reason}\n     ${a}\n     ${b}`;
}
