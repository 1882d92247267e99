// What a file of requests for a batch holds, as far as it decides who may run it and what it may cost: read line by line as it goes up.
import { isUtf8 } from 'node:buffer';
import { costBound, inputBound, noAttachments } from '#core/admission/bound.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isCount, recordOf, recordsOf } from '#core/json/lenient.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { scanObject } from '#core/json/scan.ts';
import type { ModelEntry, Price, ProviderEntry, Rates } from '#core/snapshot/snapshot.ts';
import { millis, type NanoUsd, tokens } from '#core/units.ts';
import type { StateName } from '../frontends/frontend.ts';
import { continuedIn, referencesIn } from '../frontends/references.ts';
import { tokenUsage } from './meters.ts';

/** What is kept of a file, for when a batch is made of it. */
export type BatchFile = {
  /** As the lines have it: one for all, as OpenAI wants it. */
  readonly model: string;
  readonly lines: number;
  /** Of all prompts. */
  readonly bytes: number;
  /** Most tokens of all answers; absent: a line does not say, and the model's own limit holds. */
  readonly output?: number;
  /** Lines without a limit of their own. */
  readonly unlimited: number;
  /** Pictures in all prompts: their bytes say nothing of their tokens. */
  readonly images: number;
  /** Lines whose model reads more than stands in them: files, a prompt that is stored, what tools of the provider's own find. */
  readonly readingMore: number;
  /** Lines that may have tools of the provider's run: how often these were called, no batch tells. */
  readonly runningTools: number;
  /** What the prompts name that is stored. */
  readonly names: readonly Pick<StateName, 'kind' | 'id'>[];
};

const LINE_BYTES_MAX = 8 * 1024 * 1024;
const NAMES_MAX = 100;
const ID_LENGTH_MAX = 256;
const LF = 0x0a;

/** Of a file that is sent up for a batch. Whatever it turns out to be, it is passed on: only what was read here can become a batch. */
export class BatchScan {
  #rest: Buffer[] = [];
  #restBytes = 0;
  #problem: string | undefined;
  #model: string | undefined;
  #lines = 0;
  #bytes = 0;
  #output = 0;
  #unlimited = 0;
  #images = 0;
  #readingMore = 0;
  #runningTools = 0;
  readonly #names: Pick<StateName, 'kind' | 'id'>[] = [];

  push(bytes: Buffer): void {
    for (let from = 0; from < bytes.length && this.#problem === undefined; ) {
      const end = bytes.indexOf(LF, from);
      const piece = bytes.subarray(from, end < 0 ? bytes.length : end);
      this.#restBytes += piece.length;
      if (this.#restBytes > LINE_BYTES_MAX) this.#problem = 'a line is too long';
      else this.#rest.push(piece);
      if (end < 0) return;
      this.#endLine();
      from = end + 1;
    }
  }

  /** At the end of the file: what it holds, or why no batch can be made of it. */
  result(): BatchFile | { readonly problem: string } {
    this.#endLine();
    if (this.#problem !== undefined) return { problem: this.#problem };
    if (this.#model === undefined) return { problem: 'there is no request in it' };
    return {
      model: this.#model,
      lines: this.#lines,
      bytes: this.#bytes,
      output: this.#output,
      unlimited: this.#unlimited,
      images: this.#images,
      readingMore: this.#readingMore,
      runningTools: this.#runningTools,
      names: this.#names,
    };
  }

  #endLine(): void {
    const line = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    if (this.#problem === undefined && !isBlank(line)) this.#problem = this.#read(line);
  }

  #read(line: Buffer): string | undefined {
    const body = bodyIn(line);
    const model = body?.model;
    if (!body || typeof model !== 'string') return `line ${this.#lines + 1} is no request with a model`;
    if (this.#model !== undefined && model !== this.#model) return 'its requests are for several models';
    this.#model = model;
    this.#lines++;
    this.#bytes += line.length;
    const [continued] = continuedIn(body);
    if (continued) return `line ${this.#lines} goes on with what is stored (${continued.param}), which no batch can`;
    const limits = [body.max_completion_tokens, body.max_tokens, body.max_output_tokens].filter(isLimit);
    const choices = Math.max(1, ...[body.n, body.best_of].filter(isLimit));
    // Which of several fields its provider goes by is not known here: the largest counts.
    if (limits.length > 0) this.#output += Math.max(...limits) * choices;
    else this.#unlimited += choices;
    this.#images += line.toString('latin1').match(IMAGE)?.length ?? 0;
    const references = referencesIn(body);
    const runsTools = mayRunTools(body);
    if (references.length > 0 || runsTools) this.#readingMore++;
    if (runsTools) this.#runningTools++;
    if (references.some(({ id }) => id.length > ID_LENGTH_MAX)) return `line ${this.#lines} names what no provider calls so`;
    for (const { kind, id } of references) this.#names.push({ kind, id });
    return this.#names.length > NAMES_MAX ? `its requests name more than ${NAMES_MAX} things that are stored` : undefined;
  }
}

const LIMITS = { maxDepth: 128, interpreted: new Set(['body']), isUtf8 };

/** As strictly as a request of its own. */
function bodyIn(line: Buffer): JsonRecord | undefined {
  const request = scanObject(line, LIMITS);
  const body = request.ok ? request.value.get('body') : undefined;
  return isRecord(body) ? body : undefined;
}

const isBlank = (line: Buffer): boolean => line.toString().trim() === '';

/** Fractions and numbers beyond the safe integers are no limits: one of them would spoil the sum. */
const isLimit = (value: unknown): value is number => isCount(value) && value > 0;

/** A picture of chat completions or of Responses. A prompt that has this as its text has the quotes escaped, and is not counted. */
const IMAGE = /"type"\s*:\s*"(?:image_url|input_image)"/g;

/** Tools that are no function of the client's are the provider's; a prompt that is stored may have some. */
const mayRunTools = ({ prompt, tools, input, web_search_options: search }: JsonRecord): boolean =>
  isRecord(prompt) || isRecord(search) || [tools, ...toolsOfItems(input)].some(hasRun);

const hasRun = (tools: unknown): boolean => recordsOf(tools).some(({ type }) => type !== 'function' && type !== 'custom');

/** Items that bring tools along with the conversation. */
const toolsOfItems = (input: unknown): readonly unknown[] =>
  recordsOf(input).flatMap(({ type, tools }) => (type === 'additional_tools' || type === 'tool_search_output' ? [tools] : []));

/** The model of a batch, by either of its names: a file goes to its provider as it is. */
export const modelByEitherName = ({ models }: ProviderEntry, name: string): ModelEntry | undefined =>
  models.find(model => model.upstreamName === name) ?? models.find(model => model.name === name);

/** Where neither a line nor the model says. */
const OUTPUT = 4096;

/** No more than this, at half of the price or at all of it. */
export function boundOfBatch(file: BatchFile, model: ModelEntry): NanoUsd {
  const { bytes, lines, output = 0, unlimited, images, readingMore } = file;
  const most = output + unlimited * (model.maxOutputTokens ?? OUTPUT);
  const written = inputBound({ bytes, attachments: { ...noAttachments, images }, tools: false, isBatch: true }, model);
  const window = inputBound({ bytes: 0, attachments: noAttachments, tools: false, carried: 'unknown' }, model);
  return costBound(tokens(written + readingMore * window), tokens(most), model.price, {
    audio: false,
    duration: millis(0),
    requests: lines,
  });
}

/** What OpenAI, Azure, Groq and Mistral bill for what is done in a batch (their pages on pricing): half. */
export function priceInBatch(price: Price): Price {
  // Calls of tools cost what they always do.
  const halved = ({ perToolCall, ...rates }: Rates): Rates => ({
    ...(Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, Math.ceil(rate / 2)])) as unknown as Rates),
    ...(perToolCall && { perToolCall }),
  });
  return {
    ...price,
    rates: halved(price.rates),
    tiers: price.tiers.map(({ above, rates }) => ({ above, rates: halved(rates) })),
  };
}

const FINAL: ReadonlySet<unknown> = new Set(['completed', 'failed', 'expired', 'cancelled']);

/** How a batch ended; undefined: it goes on. `usage` undefined: it did something, and does not say what. */
export function endOfBatch(
  batch: JsonRecord,
): { readonly usage: Usage | undefined; readonly failed: Failure | undefined } | undefined {
  if (batch.object !== 'batch' || !FINAL.has(batch.status)) return undefined;
  const { completed } = recordOf(batch.request_counts);
  const failed = batch.status === 'failed' ? failure('upstream_error') : undefined;
  const used = tokenUsage(recordOf(batch.usage));
  if (used.inputUncached + used.cacheRead + used.output > 0)
    return { usage: { ...used, ...(isCount(completed) && { requests: completed }) }, failed };
  const didNothing = completed === 0 || (failed && completed === undefined);
  return { usage: didNothing ? { ...noUsage, requests: 0 } : undefined, failed };
}
