// One session over WebSockets: what either side says goes to the other as it is, in order; what the server says of its responses is accounted
// before the client sees it, and where no further response is covered, the session ends with an event that says so.
import type { Usage } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { WebSocket } from '#platform/websocket.ts';
import { referencesIn } from '../frontends/references.ts';
import { modelByEitherName } from '../passthrough/batch.ts';
import { type Ending, nothingUsed, type SessionAccount } from './account.ts';
import {
  addedBy,
  asksForResponse,
  carriedOn,
  errorEvent,
  estimatedTranscription,
  estimatedUsage,
  eventOf,
  idIn,
  modelsAskedBy,
  type Told,
  toldBy,
} from './events.ts';
import { Pipe } from './side.ts';

export type SessionParts = {
  readonly client: WebSocket;
  readonly upstream: WebSocket;
  readonly candidate: Candidate;
  readonly endpoint: string;
  readonly account: SessionAccount;
  /** Whether the key may have what is said written down by this model, and its price is known as far as it must be. */
  readonly mayTranscribe: (candidate: Candidate) => boolean;
  /** A bug. */
  readonly onError: (error: unknown) => void;
};

/** As long as OpenAI lets one be. */
const SESSION_MS = 60 * 60_000;
const PING_MS = 30_000;
/** What a side has to say goodbye. */
const CLOSING_MS = 2_000;
/** How long a response that is being made is waited for at the end of the process. */
const DRAIN_MS = 8_000;

const TWICE = failure('invalid_request', { message: 'A response is being made: the gateway has one made at a time.' });

/** RFC 6455, 7.4.1. */
const CODES = { goingAway: 1001, policy: 1008, broken: 1011 } as const;

export class RealtimeSession {
  readonly #parts: SessionParts;
  readonly #toClient: Pipe;
  readonly #toUpstream: Pipe;
  readonly #waiting: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #isBusy = false;
  #isClosing = false;
  #isDraining = false;
  #hasAnswered = true;
  /** A response is being made. */
  #isActive = false;
  /** One was asked for, and it is not known yet what came of that. */
  #isAsked = false;
  /** What its event was called. */
  #askedBy: string | undefined;
  /** Tokens that came out of it so far. */
  #output = 0;
  /** Tokens that the model has read and said before, and what was added since. */
  #context = 0;
  #transcriber: string | undefined;
  /** Tokens of audio that came in since something was written down. */
  #heard = 0;
  /** The session is over once what the upstream has said is accounted for. */
  #atLast: (() => void) | undefined;
  readonly #over: Promise<void>;
  #resolve: () => void = () => {};

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#toClient = new Pipe(parts.upstream, parts.client);
    this.#toUpstream = new Pipe(parts.client, parts.upstream);
    this.#over = new Promise(resolve => {
      this.#resolve = resolve;
    });
  }

  /** @returns when it is over, and accounted for */
  run(): Promise<void> {
    const { client, upstream } = this.#parts;
    client.on('message', (data, isBinary) => this.#fromClient(data as Buffer, isBinary));
    upstream.on('message', (data, isBinary) => this.#fromUpstream(data as Buffer, isBinary));
    client.on('close', () => this.#left('client_closed'));
    upstream.on('close', (code, reason) => this.#ended(code, reason.toString()));
    for (const side of [client, upstream]) side.on('error', () => side.terminate());
    client.on('pong', () => {
      this.#hasAnswered = true;
    });
    this.#timers.push(
      setTimeout(() => this.#say(failure('request_deadline', { message: 'A session may take an hour.' })), SESSION_MS),
      setInterval(() => this.#ping(), PING_MS),
    );
    client.resume();
    upstream.resume();
    return this.#over;
  }

  /** The process is about to end: a response that is being made may come to its end. */
  drain(): void {
    this.#isDraining = true;
    if (!this.#isActive) return this.#say(failure('shutting_down'));
    this.#timers.push(setTimeout(() => this.#say(failure('shutting_down')), DRAIN_MS));
  }

  // ------------------------------------------------------------ from the client

  #fromClient(data: Buffer, isBinary: boolean): void {
    if (this.#isClosing) return;
    // All of it is parsed: what is looked for may stand anywhere.
    const read = eventOf(data, isBinary);
    if (!read.ok) return this.#toClient.send(errorEvent(read.failure), false);
    const event = read.value;
    const why = this.#whyNot(event) ?? (this.#isTwice(event) ? TWICE : undefined);
    if (why) return this.#toClient.send(errorEvent(why), false);
    const added = addedBy(event, data.length);
    this.#context += added;
    if (event.type === 'input_audio_buffer.append') this.#heard += added;
    this.#toUpstream.send(this.#named(event) ?? data, false);
  }

  /** It asks for a response while another is asked for: only one is covered. */
  #isTwice(event: JsonRecord): boolean {
    if (!asksForResponse(event)) return false;
    if (this.#isActive || this.#isAsked) return true;
    this.#isAsked = true;
    this.#askedBy = idIn(event);
    return false;
  }

  #whyNot(event: JsonRecord): Failure | undefined {
    const { provider, model } = this.#parts.candidate;
    const { session = model.name, transcribers } = modelsAskedBy(event);
    const [reference] = referencesIn(event);
    if (reference)
      return failure('unsupported_parameter', {
        message: `${reference.param}: a session cannot name what is stored.`,
      });
    const transcriber = transcribers.find(name => !this.#parts.mayTranscribe(this.#transcribing(name)));
    if (transcriber !== undefined)
      return failure('model_not_allowed', {
        message: `This key may not use the model '${transcriber.slice(0, 256)}' at ${provider.id}.`,
      });
    if (session === model.name || session === model.upstreamName) return undefined;
    return failure('model_not_allowed', { message: 'The model of a session is that of its address.' });
  }

  /** With the provider's name of the model, where the client has the public one. */
  #named(event: JsonRecord): string | undefined {
    const { model } = this.#parts.candidate;
    const { session } = modelsAskedBy(event);
    if (session === undefined || session === model.upstreamName) return undefined;
    return JSON.stringify({ ...event, session: { ...(event.session as object), model: model.upstreamName } });
  }

  #transcribing(name: string): Candidate {
    const { candidate } = this.#parts;
    const known = modelByEitherName(candidate.provider, name);
    const { price: _ofTheSession, ...model } = candidate.model;
    return { ...candidate, model: known ?? { ...model, name, upstreamName: name } };
  }

  // ------------------------------------------------------------ from the upstream

  /** What comes while an event is accounted for waits behind it. */
  #fromUpstream(data: Buffer, isBinary: boolean): void {
    this.#waiting.push({ data, isBinary });
    if (!this.#isBusy) void this.#work().catch(this.#parts.onError);
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    try {
      for (let next = this.#waiting.shift(); next && !this.#isClosing; next = this.#waiting.shift()) {
        const told: Told = next.isBinary ? { kind: 'other' } : toldBy(next.data.toString());
        const stop = this.#note(told);
        if (!stop) {
          this.#toClient.send(next.data, next.isBinary);
          continue;
        }
        this.#toClient.hold();
        const why = await stop;
        this.#toClient.send(next.data, next.isBinary);
        if (why) this.#say(why);
        else if (this.#isDraining) this.#say(failure('shutting_down'));
        else this.#toClient.release();
      }
    } finally {
      this.#isBusy = false;
      this.#atLast?.();
    }
  }

  /** @returns where something has to be settled first: why the session cannot go on, if it cannot */
  #note(told: Told): Promise<Failure | undefined> | undefined {
    switch (told.kind) {
      case 'began':
        if (this.#isActive) return this.#unasked();
        this.#isActive = true;
        this.#isAsked = false;
        this.#output = 0;
        return undefined;
      case 'output':
        this.#output += told.tokens;
        return undefined;
      case 'session':
        this.#transcriber = told.transcriber;
        return undefined;
      case 'ended':
        return this.#next(told.usage, told.id);
      case 'transcribed':
        return this.#transcribed(told.usage);
      case 'error':
        if (told.about === undefined || told.about === this.#askedBy) this.#isAsked = false;
        return undefined;
      case 'other':
        return undefined;
    }
  }

  #next(usage: Usage | undefined, id: string | undefined): Promise<Failure | undefined> {
    const { account, candidate, endpoint } = this.#parts;
    account.end({ ...(usage ? { kind: 'answered', usage, estimated: false } : this.#estimated('answered')), upstreamId: id });
    this.#isActive = false;
    if (usage) this.#context = carriedOn(usage);
    return account.begin(candidate, endpoint);
  }

  #transcribed(usage: Usage | undefined): Promise<Failure | undefined> {
    const { account, candidate, endpoint } = this.#parts;
    const by = this.#transcriber ? this.#transcribing(this.#transcriber) : candidate;
    const isKnown = usage !== undefined && by.model.price !== undefined;
    const heard = this.#heard;
    this.#heard = 0;
    return account.besides(by, endpoint, usage ?? estimatedTranscription(heard), !isKnown);
  }

  /** A second response beside the one that is covered: what has gone into it is paid, and the session is over. */
  async #unasked(): Promise<Failure> {
    const { account, candidate, endpoint } = this.#parts;
    await account.besides(candidate, endpoint, this.#estimatedUsage(0), true);
    return TWICE;
  }

  #estimated(kind: Ending['kind']): Ending {
    return { kind, usage: this.#estimatedUsage(this.#output), estimated: true };
  }

  #estimatedUsage(output: number): Usage {
    const { contextWindow = Number.POSITIVE_INFINITY } = this.#parts.candidate.model;
    return estimatedUsage(Math.min(this.#context, contextWindow), output);
  }

  // ------------------------------------------------------------ ends

  /** The last word to the client, in an event of its own kind. */
  #say(why: Failure): void {
    if (this.#isClosing) return;
    this.#parts.client.send(errorEvent(why));
    this.#close(why.class === 'shutting_down' ? CODES.goingAway : CODES.policy, why.class, why);
  }

  #left(code: 'client_closed'): void {
    this.#closeAfterwards(CODES.goingAway, code, failure(code));
  }

  #ended(code: number, reason: string): void {
    const isAgreed = code >= 1000 && code < 1004;
    // 1005 and 1006 are never sent: there was no word, and none is made up.
    const told = isAgreed || code >= 3000 ? code : CODES.broken;
    this.#closeAfterwards(
      told,
      reason.slice(0, 100),
      isAgreed ? undefined : failure('upstream_reset', this.#isActive ? { possiblyBilled: true } : {}),
    );
  }

  #ping(): void {
    const { client } = this.#parts;
    if (!this.#hasAnswered) return client.terminate();
    this.#hasAnswered = false;
    client.ping();
  }

  /** When a side has left: what the other one said before counts. */
  #closeAfterwards(code: number, reason: string, why: Failure | undefined): void {
    if (!this.#isBusy) return this.#close(code, reason, why);
    this.#atLast ??= () => this.#close(code, reason, why);
  }

  #close(code: number, reason: string, why: Failure | undefined): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const pipe of [this.#toClient, this.#toUpstream]) pipe.close();
    const { client, upstream, account } = this.#parts;
    for (const side of [client, upstream]) {
      // What is paused does not see its other side say goodbye.
      side.resume();
      side.close(code, reason);
      const timer = setTimeout(() => side.terminate(), CLOSING_MS);
      side.once('close', () => clearTimeout(timer));
    }
    const kind = why?.class === 'client_closed' ? 'abandoned' : why ? 'broken' : 'answered';
    account.end(this.#isActive ? { ...this.#estimated(kind), failure: why } : nothingUsed);
    account.close().then(this.#resolve, this.#parts.onError);
  }
}
