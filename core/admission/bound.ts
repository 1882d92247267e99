// Upper bounds of what an attempt can consume and cost, known before it is sent: what is reserved for it.
import { MAX_USD } from '../accounting/money.ts';
import { dearestPrice } from '../accounting/service-price.ts';
import type { ServiceAsked } from '../chat/service.ts';
import type { ToolsAsked } from '../chat/tools-asked.ts';
import type { ModelEntry, Price, Rates } from '../snapshot/snapshot.ts';
import { type Millis, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts';
import { toolBound } from './tool-bound.ts';

// ---------------------------------------------------------------- input

export type InputFacts = {
  /** The size of the body, its inline images and documents included. */
  readonly bytes: number;
  readonly attachments: Attachments;
  /** The request has tools: providers put a prompt of their own before them. */
  readonly tools: boolean;
  /** Tokens that the model reads besides the body: what a provider keeps, what its own tools find. `unknown`: as many as it takes. */
  readonly carried?: number | 'unknown';
  /** Texts that have nothing to do with each other: together they may be more than fits into the model. */
  readonly isBatch?: true;
  /** How many requests it is billed as at most; absent: one. */
  readonly requests?: number;
  /** See Usage; at most. */
  readonly units?: number;
  /** What a tokenizer makes of the text. Absent: the bytes are the bound. */
  readonly counted?: { readonly tokens: Tokens; readonly messages: number; readonly tokenizer: Tokenizer };
};

/** What is in the prompt besides text. */
export type Attachments = {
  /** Inline and by reference. */
  readonly images: number;
  /** By URL or id: their size is not known. */
  readonly documents: number;
  /** Size of the inline ones, in base64. */
  readonly imageBytes: number;
  readonly documentBytes: number;
};

export const noAttachments: Attachments = { images: 0, documents: 0, imageBytes: 0, documentBytes: 0 };

/** `own`: the encoding that the model itself uses. `other`: that of another family. */
export type Tokenizer = keyof typeof MARGIN;

/**
 * Percent. The own encoding misses only what stands around the text. Of others o200k counts least: tokenizers of other families make
 * up to half as many more of the same text.
 */
const MARGIN = { own: 110, other: 150 } as const;

/** Role, name and delimiters: 3 to 4 in OpenAI's cookbook ("How to count tokens with tiktoken"); twice that. */
const PER_MESSAGE = 8;

/** Anthropic's prompt for tools has 264 to 530 tokens (its page "Tool use", pricing); those for its own tools add up to 735. */
const TOOL_PROMPT = 1300;

/** The most that one image costs anywhere: gpt-4o-mini, 2,833 + 5,667 for each of 8 tiles (OpenAI's page "Images and vision"). */
const IMAGE = 50_000;

/** 100 pages, the most that a model of 200k takes, at 3,000 for the text of each (Anthropic's page "PDF support"); its window caps it anyway. */
const DOCUMENT = 300_000;

/** A page of dense text is sent as text and as image, and a PDF is compressed: about one token a byte of base64, doubled. */
const PER_DOCUMENT_BYTE = 2;

/** What a model takes of which nobody said how much that is: the largest window that is sold to everyone. */
const WINDOW = 1_050_000;

/** The input that is reserved for: no token has less than a byte, and no prompt (a batch is many) more than fits into the model. */
export function inputBound(facts: InputFacts, model: Pick<ModelEntry, 'contextWindow'>): Tokens {
  const { images, documents, imageBytes, documentBytes } = facts.attachments;
  // The bytes of an image say nothing of its tokens: a small file can be a large picture.
  const attached = images * IMAGE + documents * DOCUMENT + documentBytes * PER_DOCUMENT_BYTE;
  const text = textBound(facts, Math.max(0, facts.bytes - imageBytes - documentBytes));
  const carried = facts.carried === 'unknown' ? WINDOW : (facts.carried ?? 0);
  const all = text + attached + carried + (facts.tools ? TOOL_PROMPT : 0);
  const most = facts.isBatch ? undefined : model.contextWindow;
  return tokens(Math.min(all, most ?? Number.MAX_SAFE_INTEGER));
}

function textBound({ counted }: InputFacts, bytes: number): number {
  if (!counted) return bytes;
  return Math.min(bytes, Math.ceil((counted.tokens * MARGIN[counted.tokenizer]) / 100) + counted.messages * PER_MESSAGE);
}

// ---------------------------------------------------------------- output

/** Where neither the request nor the model says how long an answer may be. */
const OUTPUT = 4096;

/** @param maxTokens of one choice, as requested: it holds even where it is more than what is known of the model */
export function outputBound(maxTokens: number | undefined, choices: number, model: Pick<ModelEntry, 'maxOutputTokens'>): Tokens {
  return tokens(Math.min((maxTokens ?? model.maxOutputTokens ?? OUTPUT) * choices, Number.MAX_SAFE_INTEGER));
}

// ---------------------------------------------------------------- money

export type PriceFacts = {
  /** Audio goes in. */
  readonly audio: boolean;
  /** How long the attempt may take: for models priced by the time of their GPUs. */
  readonly duration: Millis;
  /** How many requests it is billed as at most; absent: one. */
  readonly requests?: number | undefined;
  /** See Usage; at most. */
  readonly units?: number | undefined;
  /** Of those that are billed by the call. */
  readonly tools?: ToolsAsked | undefined;
  /** Where it asks to be served otherwise than by the standard. */
  readonly service?: ServiceAsked | undefined;
};

/**
 * No usage within these bounds costs more (`costOf`): every token at the dearest class it can be of, in the dearest tier that the
 * prompt can fall into, and at the dearest level of service that the request lets be used. 0 where the price is not known: the row says so.
 */
export function costBound(input: Tokens, output: Tokens, price: Price | undefined, facts: PriceFacts): NanoUsd {
  if (!price) return nanoUsd(0);
  let dearest = 0;
  const held = price.services ? dearestPrice(price, facts.service) : price;
  for (const { rates, most } of tiersWithin(held, input)) {
    const nano = nanoCeil(most, dearestInput(rates, facts), output, dearestOutput(rates));
    const besides = rates.perRequest * (facts.requests ?? 1) + (rates.perUnit ?? 0) * (facts.units ?? 0);
    dearest = Math.max(dearest, nano + besides + (facts.tools ? toolBound(facts.tools, rates, price) : 0));
  }
  const time = price.gpu ? gpuBound(price.gpu, facts.duration) : 0;
  return nanoUsd(Math.min(dearest + time, MAX_USD));
}

/**
 * The longest answer whose bound fits into `remaining`, of one choice; undefined where not even one token does. For a price that
 * does not depend on the answer any length fits, or none.
 */
export function fitOutput(
  remaining: NanoUsd,
  input: Tokens,
  choices: number,
  price: Price | undefined,
  facts: PriceFacts,
): Tokens | undefined {
  const fits = (output: number) => costBound(input, tokens(output * choices), price, facts) <= remaining;
  if (!fits(1)) return undefined;
  let fitting = 1;
  let tooLong = Math.floor(LONGEST / choices) + 1;
  while (tooLong - fitting > 1) {
    const middle = Math.floor((fitting + tooLong) / 2);
    if (fits(middle)) fitting = middle;
    else tooLong = middle;
  }
  return tokens(fitting);
}

/** Longer than any answer. */
const LONGEST = 2 ** 31 - 1;

type Tier = { readonly rates: Rates /** The largest prompt that has these rates. */; readonly most: number };

function tiersWithin({ rates, tiers }: Price, input: Tokens): readonly Tier[] {
  if (tiers.length === 0) return [{ rates, most: input }];
  const within = tiers.filter(tier => input > tier.above);
  const all = [rates, ...within.map(tier => tier.rates)];
  return all.map((of, index) => ({ rates: of, most: Math.min(input, within[index]?.above ?? input) }));
}

const dearestInput = (rates: Rates, { audio }: PriceFacts): number =>
  Math.max(rates.input, rates.cacheRead, rates.cacheWrite5m, rates.cacheWrite1h, audio ? rates.audioInput : 0);

/** Nothing in a request says that a model will not draw or speak. */
const dearestOutput = (rates: Rates): number => Math.max(rates.output, rates.reasoning, rates.audioOutput);

/** Two products of pico-dollars, summed and rounded up; by way of BigInt where a double is too short. */
function nanoCeil(input: number, inputRate: number, output: number, outputRate: number): number {
  const pico = input * inputRate + output * outputRate;
  if (pico <= Number.MAX_SAFE_INTEGER - 999) return (pico + 999 - ((pico + 999) % 1000)) / 1000;
  return Number(ceilDiv(BigInt(input) * BigInt(inputRate) + BigInt(output) * BigInt(outputRate), 1000n));
}

const HOUR = 3_600_000n;

/** All GPUs of the replica for all the time: the share of one request is never more. */
function gpuBound({ hour, gpus }: NonNullable<Price['gpu']>, duration: Millis): NanoUsd {
  const nano = Number(ceilDiv(BigInt(hour) * BigInt(gpus) * BigInt(Math.ceil(duration)), HOUR));
  return nanoUsd(Math.min(nano, MAX_USD));
}

const ceilDiv = (dividend: bigint, divisor: bigint): bigint => (dividend + divisor - 1n) / divisor;
