// One attempt: one request to one upstream, until its answer is delivered, refused or broken. Streams go to the client from here,
// as they arrive; whole answers are handed back. Nothing here decides what happens next.
import type { ToolCalls, Usage } from '#core/chat/usage.ts';
import { type Failure, failure, type Parsed } from '#core/failure.ts';
import type { Millis } from '#core/units.ts';
import { collector, type Decompressor, decompressor } from '#platform/body.ts';
import type { HttpClient, HttpControl, HttpError, HttpHandler, HttpHeaders, HttpRequest } from '#platform/http-client.ts';
import type { ClientListener, ClientResponse } from './http/client-response.ts';
import { messagesOf, SseBlocks } from './http/sse.ts';
import type { Provider, Reframer, UpstreamError } from './providers/provider.ts';
import type { Relay, RelayState, Spoken } from './relay/relay.ts';

/** A whole answer, read and ready for the client. */
export type WholeReply = {
  readonly body: Buffer | string;
  readonly usage: Usage | undefined;
  /** What the model wrote, where `usage` is absent and it can be told from the rest of the body. */
  readonly said: string | undefined;
  readonly model: string | undefined;
  readonly upstreamId: string | undefined;
};

/** What an attempt needs of the client. */
export type ClientSide = Pick<ClientResponse, 'began' | 'gone' | 'listener' | 'write' | 'endStream'>;

/** An attempt that is under way, for who may have to end it. Both do nothing once it is over. */
export type Running = {
  /** Another attempt of the request has answered. */
  lose(): void;
  /** No answer will come: over, unless the client has a part of it. */
  giveUp(reason: Failure): void;
};

/** Where several attempts of one request run: only one of them answers. */
export type Claim = {
  running(attempt: Running): void;
  /** Asked when there is something for the client. false: another one was faster. */
  claim(): boolean;
};

/** An answer that is refused may have been billed all the same: its usage, where it was told. */
export type ReadReply = Parsed<WholeReply> | { readonly ok: false; readonly failure: Failure; readonly usage: Usage | undefined };

/** An answer that goes to the client as it comes, whatever it is: audio, a file, events that nobody has to understand. */
export type Flow = {
  /** Whether an answer with this head flows; else it is read whole. */
  takes(headers: HttpHeaders): boolean;
  begin(headers: HttpHeaders): void;
  /** @returns why it cannot go on */
  push(chunk: Buffer): Failure | undefined;
  /** At its end. @returns why it is not whole */
  close(): Failure | undefined;
  /** What it has told so far. */
  told(): Pick<AttemptResult, 'usage' | 'model' | 'upstreamId'>;
};

export type AttemptInput = {
  readonly http: HttpClient;
  readonly request: HttpRequest;
  readonly limits: { readonly firstToken: Millis; readonly streamIdle: Millis; readonly request: Millis };
  readonly client: ClientSide;
  /** How to answer the client; a streamed request has a relay. */
  readonly stream?: { readonly relay: Relay; readonly framing: Provider['framing']; begin(upstream: HttpHeaders): void };
  readonly flow?: Flow | undefined;
  readonly read: (body: Buffer, headers: HttpHeaders) => ReadReply;
  /** Of a body that is still arriving: what was wrong with it. */
  readonly bodyFailure?: (() => Failure | undefined) | undefined;
  readonly classify: (error: UpstreamError) => Failure;
  /** Whether this attempt may go on reading for the usage figure when its client has left; taken up at most once. */
  readonly mayDrain: () => boolean;
  readonly race?: Claim | undefined;
  /** Told once, of streams. */
  readonly onFirstToken?: (after: Millis) => void;
  readonly onStart?: (attempt: Running) => void;
  readonly now: () => number;
  readonly monotonic: () => number;
};

export type AttemptResult = {
  /**
   * `answered`: the client has a whole stream, or `reply` is to be sent. `refused`: nothing reached the client. `broken`: the client
   * saw a part. `abandoned`: the client left. `lost`: another attempt of the request answered.
   */
  readonly kind: 'answered' | 'refused' | 'broken' | 'abandoned' | 'lost';
  /** It went to its provider. */
  readonly sent: boolean;
  readonly reply: WholeReply | undefined;
  readonly failure: Failure | undefined;
  readonly upstreamStatus: number;
  readonly upstreamHeaders: HttpHeaders;
  readonly usage: Usage | undefined;
  /** Calls of the provider's own tools that a stream showed. */
  readonly toolCalls?: ToolCalls | undefined;
  readonly model: string | undefined;
  readonly upstreamId: string | undefined;
  /**
   * What was streamed without its usage being told to the end: the beginning, to count tokens in, and the size of all of it. `usage`
   * then has what was told before: some wires begin with the count of the input, and a placeholder for that of the output.
   */
  readonly streamed: { readonly sample: Buffer; readonly bytes: number } | undefined;
  /** Of a stream that broke off and may be gone on with. */
  readonly spoken: Spoken | undefined;
  readonly firstToken: Millis | undefined;
  readonly duration: Millis;
};

const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SSE_LINE_BYTES = 8 * 1024 * 1024;
/** What is kept of a stream in case nobody tells how many tokens it had; the rest counts by its size. */
const SAMPLE_BYTES = 16 * 1024;
/** A drain is bounded in time as well as by the request's own limit. */
const DRAIN_MS = 30_000;
/** How long a stream that has said its last word, or an error of which the status is known, is waited for. */
const LINGER_MS = 2_000;
const EVENT_STREAM = 'text/event-stream';
const MAX_TIMER_MS = 2 ** 31 - 1;
const NOTHING = Buffer.alloc(0);
const NO_BODY = collector(0);

export function runAttempt(input: AttemptInput): Promise<AttemptResult> {
  return new Promise(resolve => new Attempt(input, resolve).start());
}

type Due = {
  readonly at: number;
  readonly limit: 'first_token_timeout' | 'stream_idle_timeout' | 'request_deadline';
};
type Mode = 'head' | 'error' | 'wrong-type' | 'whole' | 'stream' | 'flow' | 'draining' | 'done';

class Attempt implements HttpHandler, ClientListener, Running {
  readonly #in: AttemptInput;
  readonly #resolve: (result: AttemptResult) => void;
  readonly #startedAt: number;
  #control: HttpControl | undefined;
  #mode: Mode = 'head';
  #status = 0;
  #headers: HttpHeaders = {};
  #body = NO_BODY;
  #decompress: Decompressor | undefined;
  #blocks: SseBlocks | undefined;
  readonly #reframer: Reframer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastProgress: number;
  #firstToken: Millis | undefined;
  #paused = false;
  /** What it has goes to the client. */
  #speaks = false;
  #drainUntil = 0;
  /** A copy, as a small chunk that is kept keeps more alive than itself. */
  #sample: Buffer | undefined;
  #sampleBytes = 0;
  #streamedBytes = 0;
  /** Of a whole answer that was refused. */
  #usage: Usage | undefined;
  /** From when on an answer is known to be an error. */
  #judgedAt = Number.POSITIVE_INFINITY;

  constructor(input: AttemptInput, resolve: (result: AttemptResult) => void) {
    this.#in = input;
    this.#resolve = resolve;
    this.#startedAt = input.monotonic();
    this.#reframer = input.stream?.framing?.reframer();
    this.#lastProgress = this.#startedAt;
  }

  start(): void {
    const { client, http, request, race, onStart } = this.#in;
    this.#control = http.send(request, this);
    this.#arm(this.#startedAt);
    race?.running(this);
    onStart?.(this);
    client.listener = this;
  }

  // ------------------------------------------------------------ the upstream's answer

  onHead(status: number, headers: HttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.#mode = this.#modeOf(status, headers);
    this.#body = collector(this.#mode === 'whole' ? MAX_REPLY_BYTES : MAX_ERROR_BYTES);
    if (this.#isError()) {
      this.#judgedAt = this.#in.monotonic();
      this.#rearm();
    } else if (this.#mode === 'flow') {
      this.#lastProgress = this.#in.monotonic();
      this.#rearm();
    }
    const encoding = headers['content-encoding'];
    if (encoding !== undefined) this.#decompress = this.#decompressor(String(encoding));
  }

  #decompressor(encoding: string): Decompressor | undefined {
    return decompressor(encoding, MAX_REPLY_BYTES, {
      data: chunk => this.#bytes(chunk),
      end: () => this.#ended(),
      error: () =>
        this.#broke(failure('upstream_bad_response', { message: 'The answer of the provider could not be decompressed.' })),
    });
  }

  onData(chunk: Buffer): void {
    if (this.#decompress) this.#decompress.write(chunk);
    else this.#bytes(chunk);
  }

  onEnd(): void {
    if (this.#decompress) this.#decompress.end();
    else this.#ended();
  }

  onError(error: HttpError): void {
    this.#broke(this.#in.bodyFailure?.() ?? connectionFailure(error));
  }

  /**
   * A stream that ends badly, or does not end, after its last word is whole. What an error's status says
   * holds whatever becomes of its body.
   */
  #broke(reason: Failure): void {
    const isKnown = this.#isError() || (this.#mode === 'stream' && this.#in.stream?.relay.state.finish);
    if (!isKnown) return this.#fail(reason);
    this.#control?.abort();
    this.#ended();
  }

  #isError(): boolean {
    return this.#mode === 'error' || this.#mode === 'wrong-type';
  }

  #modeOf(status: number, headers: HttpHeaders): Mode {
    if (status < 200 || status >= 300) return 'error';
    const { stream, flow } = this.#in;
    if (flow?.takes(headers)) return 'flow';
    const contentType = String(headers['content-type'] ?? '').toLowerCase();
    if (stream) return contentType.startsWith(stream.framing?.contentType ?? EVENT_STREAM) ? 'stream' : 'wrong-type';
    const isStream = contentType.startsWith(EVENT_STREAM);
    return isStream || contentType.startsWith('text/html') ? 'wrong-type' : 'whole';
  }

  #bytes(chunk: Buffer): void {
    switch (this.#mode) {
      case 'stream':
      case 'draining':
        this.#streamBytes(chunk);
        break;
      case 'flow':
        this.#flowBytes(chunk);
        break;
      case 'whole':
        if (!this.#body.add(chunk))
          this.#fail(failure('upstream_bad_response', { message: 'The answer of the provider is too large.' }));
        break;
      case 'error':
      case 'wrong-type':
        // Beyond the bound the rest of an error page says nothing new.
        if (!this.#body.add(chunk)) this.#ended();
        break;
    }
  }

  #ended(): void {
    switch (this.#mode) {
      case 'stream':
      case 'draining':
        this.#streamEnded();
        break;
      case 'flow':
        this.#flowEnded();
        break;
      case 'whole':
        this.#wholeEnded();
        break;
      case 'error':
      case 'wrong-type':
        this.#fail(this.#errorOf(this.#body.all().toString()));
        break;
    }
  }

  #wholeEnded(): void {
    const read = this.#in.read(this.#body.all(), this.#headers);
    if (!read.ok) {
      this.#usage = 'usage' in read ? read.usage : undefined;
      return this.#fail(read.failure);
    }
    if (this.#isFastest()) this.#finish('answered', read.value);
  }

  #errorOf(body: string): Failure {
    const status = this.#status;
    if (status >= 300 && status < 400) return failure('upstream_redirect', { upstreamStatus: status });
    // A page where an answer should be may still hold an error that says what is wrong.
    if (status < 300 && !body.includes('"error"'))
      return failure('upstream_bad_response', {
        message: 'The provider answered with an unexpected content type.',
        upstreamStatus: status,
      });
    return this.#in.classify({ status, headers: this.#headers, body, now: this.#in.now() as UpstreamError['now'] });
  }

  // ------------------------------------------------------------ streams

  #streamBytes(chunk: Buffer): void {
    this.#blocks ??= new SseBlocks(MAX_SSE_LINE_BYTES);
    const block = this.#blocks.push(this.#reframer?.push(chunk) ?? chunk);
    if (block === undefined) return;
    if (block === 'too-long')
      return this.#fail(failure('upstream_bad_response', { message: 'A line of the stream is too long.' }));
    const { relay } = this.#in.stream!;
    const { state } = relay;
    const { began, finish, ended } = state;
    // Nothing is said after the terminator, and nothing puts off the end. What is left of its line ending still belongs to it.
    if (ended && messagesOf(block).length > 0) return;
    const out = relay.push(block);
    this.#keep(block);
    if (state.began && !ended) this.#progress(block);
    if (state.began !== began || state.finish !== finish) this.#rearm();
    if (out !== undefined && !this.#toClient(out)) return;
    if (state.failure) this.#fail(state.failure);
    else if (this.#mode === 'draining' && state.usage && state.finish) this.#abort('abandoned');
  }

  #streamEnded(): void {
    const { relay } = this.#in.stream!;
    const out = relay.close(this.#blocks?.rest() ?? NOTHING);
    if (out !== undefined && !this.#toClient(out)) return;
    if (this.#mode === 'draining') this.#finish('abandoned');
    else if (relay.state.failure) this.#fail(relay.state.failure);
    else {
      this.#in.client.endStream();
      this.#finish('answered');
    }
  }

  // ------------------------------------------------------------ what flows

  #flowBytes(chunk: Buffer): void {
    const flow = this.#in.flow!;
    this.#lastProgress = this.#in.monotonic();
    this.#firstToken ??= (this.#lastProgress - this.#startedAt) as Millis;
    const wrong = flow.push(chunk);
    if (wrong) this.#fail(wrong);
    else this.#toClient(chunk);
  }

  #flowEnded(): void {
    const cut = this.#in.flow!.close();
    if (cut) return this.#fail(cut);
    // Nothing came: that is an answer as well, of a file that is empty.
    if (!this.#speaks && !this.#toClient(NOTHING)) return;
    this.#in.client.endStream();
    this.#finish('answered');
  }

  /** From the first byte: what comes later need not make sense alone. */
  #keep(block: Buffer): void {
    this.#streamedBytes += block.length;
    if (this.#sampleBytes === SAMPLE_BYTES) return;
    this.#sample ??= Buffer.allocUnsafeSlow(SAMPLE_BYTES);
    this.#sampleBytes += block.copy(this.#sample, this.#sampleBytes);
  }

  #progress(block: Buffer): void {
    // Comments keep the connection alive, not the answer.
    if (block[0] !== 0x3a) this.#lastProgress = this.#in.monotonic();
    if (this.#firstToken !== undefined) return;
    this.#firstToken = (this.#lastProgress - this.#startedAt) as Millis;
    this.#in.onFirstToken?.(this.#firstToken);
  }

  #sampled(): Buffer {
    return this.#sample?.subarray(0, this.#sampleBytes) ?? Buffer.alloc(0);
  }

  /** @returns false: another attempt has answered, and this one is over */
  #toClient(out: Buffer | string): boolean {
    if (this.#mode === 'draining') return true;
    if (!this.#speaks && !this.#isFastest()) return false;
    const { client, stream, flow } = this.#in;
    if (!this.#speaks) (flow ?? stream)?.begin(this.#headers);
    this.#speaks = true;
    if (client.write(out)) return true;
    this.#paused = true;
    this.#control?.pause();
    return true;
  }

  #isFastest(): boolean {
    if (this.#in.race?.claim() ?? true) return true;
    this.lose();
    return false;
  }

  clientDrained(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastProgress = this.#in.monotonic();
    this.#control?.resume();
  }

  // ------------------------------------------------------------ time

  /** One timer for all limits; progress only moves a number, and the timer looks at it when it fires. */
  #arm(now: number): void {
    const due = this.#due();
    this.#timer = setTimeout(() => this.#tick(), Math.min(MAX_TIMER_MS, Math.max(1, due.at - now)));
  }

  /** Another limit holds from now on, and it may end sooner. */
  #rearm(): void {
    clearTimeout(this.#timer);
    this.#arm(this.#in.monotonic());
  }

  #tick(): void {
    const now = this.#in.monotonic();
    const due = this.#due();
    if (now < due.at) this.#arm(now);
    else if (this.#mode === 'draining') this.#abort('abandoned');
    else this.#broke(failure(due.limit));
  }

  #due(): Due {
    const { limits, stream } = this.#in;
    const total: Due = { at: Math.min(this.#startedAt + limits.request, this.#judgedAt + LINGER_MS), limit: 'request_deadline' };
    if (this.#mode === 'flow') {
      const since = this.#paused ? this.#in.monotonic() : this.#lastProgress;
      const idle: Due = { at: since + limits.streamIdle, limit: 'stream_idle_timeout' };
      return idle.at < total.at ? idle : total;
    }
    if (!stream) return total;
    if (this.#mode === 'draining') return { at: Math.min(total.at, this.#drainUntil), limit: 'request_deadline' };
    const phase = this.#phaseDue(stream.relay.state);
    return phase.at < total.at ? phase : total;
  }

  #phaseDue({ began, finish }: RelayState): Due {
    const { limits, monotonic } = this.#in;
    // While the client is behind, the upstream is not to blame for the silence.
    const since = this.#paused ? monotonic() : this.#lastProgress;
    if (finish) return { at: since + LINGER_MS, limit: 'stream_idle_timeout' };
    if (began) return { at: since + limits.streamIdle, limit: 'stream_idle_timeout' };
    return { at: this.#startedAt + limits.firstToken, limit: 'first_token_timeout' };
  }

  // ------------------------------------------------------------ ends

  clientLeft(): void {
    if (this.#mode === 'done') return;
    const canDrain = this.#mode === 'stream' && this.#in.stream?.relay.state.began === true && this.#in.mayDrain();
    if (!canDrain) return this.#abort('abandoned');
    this.#mode = 'draining';
    this.clientDrained();
    this.#drainUntil = this.#in.monotonic() + DRAIN_MS;
    this.#rearm();
  }

  lose(): void {
    this.#abort('lost');
  }

  giveUp(reason: Failure): void {
    if (this.#in.stream?.relay.state.began !== true) this.#fail(reason);
  }

  #fail(reason: Failure): void {
    if (this.#mode === 'draining') return this.#abort('abandoned');
    const toldClient = (this.#mode === 'stream' || this.#mode === 'flow') && this.#speaks;
    this.#abort(toldClient ? 'broken' : 'refused', reason);
  }

  #abort(kind: AttemptResult['kind'], reason?: Failure): void {
    this.#control?.abort();
    this.#finish(kind, undefined, reason);
  }

  #finish(kind: AttemptResult['kind'], reply?: WholeReply, reason?: Failure): void {
    if (this.#mode === 'done') return;
    this.#mode = 'done';
    clearTimeout(this.#timer);
    const { client, stream } = this.#in;
    client.listener = undefined;
    const state = stream?.relay.state;
    const said = state ?? reply ?? this.#in.flow?.told();
    const isUncounted = state?.began === true && !(state.finish && state.usage);
    this.#resolve({
      kind,
      sent: true,
      reply,
      failure: reason,
      upstreamStatus: this.#status,
      upstreamHeaders: this.#headers,
      usage: said?.usage ?? this.#usage,
      toolCalls: state?.toolCalls,
      model: said?.model,
      upstreamId: said?.upstreamId,
      streamed: isUncounted ? { sample: this.#sampled(), bytes: this.#streamedBytes } : undefined,
      spoken: kind === 'broken' ? stream?.relay.spoken() : undefined,
      firstToken: this.#firstToken,
      duration: (this.#in.monotonic() - this.#startedAt) as Millis,
    });
  }
}

export function connectionFailure({ kind }: HttpError): Failure {
  switch (kind) {
    case 'connect':
      return failure('upstream_connect_failed');
    case 'connect-timeout':
      return failure('connect_timeout');
    case 'forbidden-address':
      return failure('upstream_forbidden_address');
    case 'reset':
      return failure('upstream_reset', { possiblyBilled: true });
  }
}
