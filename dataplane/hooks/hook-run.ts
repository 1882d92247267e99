// The hooks of a route at one request: first at what is asked, then at what is answered. They decide in their order; those that observe are
// told beside that, and nobody waits for them.
import { type Failure, failure, ok, type Parsed } from '#core/failure.ts';
import { kinds, type SensitiveKind } from '#core/sensitive/kinds.ts';
import { Masks, wantedOf } from '#core/sensitive/masks.ts';
import type { Hook } from '#core/snapshot/snapshot.ts';
import { answerFailure } from '../answer.ts';
import type { Call } from '../call.ts';
import { type Client, type Exchange, isChat } from '../exchange.ts';
import { open, type Unplanned } from '../open.ts';
import type { HookOutcome, Ports } from '../ports.ts';
import type { Trip } from '../trip.ts';
import { type Answer, askHook, type Replacement } from './ask.ts';
import { AskStage, type Deciding, ListenStage, type ToldAnswer } from './ask-stage.ts';
import { GuardedClient } from './guarded-client.ts';
import { HoldStage } from './hold-stage.ts';
import { RewriteStage, type Rewriting } from './rewrite.ts';
import { findInRequest, type Mask, maskedRequest, maskedTags } from './sensitive-request.ts';
import type { Deny, Next, Stage } from './stage.ts';
import { hasChecks, uncheckedPassing, unseen } from './unseen.ts';

type Opened = Parsed<Call> | Unplanned;
type SensitiveData = NonNullable<Hook['sensitiveData']>;

export class HookRun {
  /** What the loop goes on with. */
  readonly exchange: Exchange;
  readonly #hooks: readonly Hook[];
  readonly #call: Call;
  readonly #ports: Ports;
  readonly #masks: Masks;
  #tags: Call['tags'];
  readonly #client: GuardedClient | undefined;
  #trip: Trip | undefined;

  private constructor(exchange: Exchange, call: Call, hooks: readonly Hook[], ports: Ports) {
    this.#hooks = hooks;
    this.#call = call;
    this.#ports = ports;
    this.#tags = call.tags;
    this.#masks = new Masks({
      asked: () => call.body.bytes.toString(),
      ...(goesOn(call) && { tag: exchange.id.slice(-TAG_LENGTH).toUpperCase() }),
    });
    this.#client = this.#looksAtAnswer(exchange) ? this.#guarded(exchange) : undefined;
    this.exchange = this.#client ? { ...exchange, client: this.#client } : exchange;
  }

  /** undefined: the route has none. */
  static of(exchange: Exchange, call: Call, ports: Ports): HookRun | undefined {
    const hooks = call.plan.route?.hooks;
    return hooks && new HookRun(exchange, call, hooks, ports);
  }

  // ------------------------------------------------------------ the request

  /** @returns the request as the hooks leave it, or why it must not go on */
  async before(): Promise<Opened> {
    const impossible = this.#impossible();
    if (impossible) return { ok: false, failure: impossible };
    let json = this.#call.body.bytes.toString();
    let changedBy: Hook | undefined;
    for (const hook of this.#hooks) {
      if (hook.when !== 'Before') continue;
      const checked = hook.sensitiveData
        ? await this.#withoutSensitive(hook, hook.sensitiveData, json)
        : await this.#asked(hook, json);
      if (!checked.ok) return checked;
      if (checked.value !== json) changedBy = hook;
      json = checked.value;
    }
    return changedBy || this.#awaitsChecks ? this.#again(json, changedBy) : ok(this.#call);
  }

  /** What its last turn is about was not asked, as that asks a model. */
  get #awaitsChecks(): boolean {
    const { route } = this.#call.plan;
    return route?.semantic !== undefined && hasChecks(route, 'Before');
  }

  #impossible(): Failure | undefined {
    const { exchange } = this;
    const { envelope, plan } = this.#call;
    const isPassed = exchange.action === 'pass';
    if (isPassed && exchange.form && hasChecks(plan.route, 'Before')) return unseen('a form');
    const tokens = this.#hooks.some(hook => hook.when === 'Before' && hook.sensitiveData) && tokensIn(exchange, this.#call);
    if (tokens) return unseen('tokens', tokens);
    if (isPassed) return uncheckedPassing(exchange.frontend.operation, plan.route);
    if (!hasChecks(plan.route, 'After')) return undefined;
    if (envelope.inBackground) return unseen('an answer that comes later', 'background');
    const keeps = envelope.names?.find(({ kind }) => kind === 'conversation');
    return keeps && unseen('an answer that is kept in a conversation', keeps.param);
  }

  async #withoutSensitive(hook: Hook, data: SensitiveData, json: string): Promise<Parsed<string>> {
    const startedAt = this.#ports.monotonic();
    const { kinds: looksFor, action, restore } = data;
    const wanted = wantedOf(looksFor);
    const found = await findInRequest(json, wanted);
    if (action === 'Deny' && found.length > 0) {
      this.#told(hook, 'deny', startedAt);
      return {
        ok: false,
        failure: holds(
          'request',
          found.flatMap(one => one.found),
        ),
      };
    }
    this.#told(hook, found.length === 0 ? 'allow' : 'replace', startedAt);
    const mask: Mask = one => this.#masks.placeholderOf(one.kind, one.text, restore);
    // Later hooks are told of tags as well, which may say what the body says.
    if (action === 'Mask') this.#tags = maskedTags(this.#tags, wanted, mask);
    return ok(maskedRequest(json, found, mask));
  }

  async #asked(hook: Hook, json: string): Promise<Parsed<string>> {
    const body = `{${this.#about(hook)},"body":${json}}`;
    if (hook.mode === 'Observe') {
      this.#observe(hook, body);
      return ok(json);
    }
    const answer = await whileHere(
      this.exchange.client,
      this.#ask(hook, body, one => 'body' in one),
    );
    if (!answer) return { ok: false, failure: failure('client_closed') };
    if (answer.kind === 'replace') return ok('body' in answer ? JSON.stringify(answer.body) : json);
    const refusal = this.#refusalOf(hook, answer);
    return refusal ? { ok: false, failure: refusal } : ok(json);
  }

  /** A request that was changed is opened as any other; and it is still for the same model, on the same route. */
  async #again(json: string, by: Hook | undefined): Promise<Opened> {
    const bytes = Buffer.from(json);
    this.#call.batch?.over(failure('denied_by_hook'));
    const opened = await open({ ...this.exchange, readBody: async () => ok(bytes) }, this.#ports, true);
    // What stands against a masked request stood against it before.
    if (!by || (!opened.ok && by.sensitiveData)) return opened;
    const complaint = opened.ok ? differenceOf(this.#call, opened.value) : opened.failure.message;
    if (complaint === undefined) return opened;
    const message = `The check '${by.name}' of the route made a request of it that cannot be served: ${complaint}`;
    return { ok: false, failure: failure('hook_failed', { message }) };
  }

  // ------------------------------------------------------------ the answer

  /** A ranking may say the documents again that were asked about: those come back as they were. */
  #looksAtAnswer(exchange: Exchange): boolean {
    const restores = this.#hooks.some(({ sensitiveData }) => sensitiveData?.restore);
    if (!isChat(exchange)) return restores && exchange.frontend.operation === 'Rerank';
    return exchange.action === 'generate' && (restores || this.#hooks.some(({ when }) => when === 'After'));
  }

  /** The loop has begun. */
  began(trip: Trip): void {
    this.#trip = trip;
  }

  /** When the answer was checked and sent, or must not be. */
  async over(): Promise<void> {
    await this.#client?.checked();
    const denial = this.#client?.denial;
    if (denial && this.#trip) this.#trip.failure = denial;
  }

  #guarded(exchange: Exchange): GuardedClient {
    return new GuardedClient(exchange.client, {
      stages: (isWhole, next, deny, onProgress) => this.#stages(isWhole, next, deny, onProgress),
      holdsStream: this.#hooks.some(({ holdStream }) => holdStream),
      refuse: (client: Client, reason) => answerFailure({ ...this.exchange, client }, reason, this.#trip),
    });
  }

  /** From the last to the first; what was masked comes back when all have seen the answer without it. */
  #stages(isWhole: boolean, client: Next, deny: Deny, onProgress: () => void): readonly Stage[] {
    const stages: Stage[] = [];
    const first = (): Next => stages[0] ?? client;
    if (this.#masks.anyComesBack) stages.push(new RewriteStage(this.#restoring(), client));
    if (!isChat(this.exchange)) return stages;
    for (const hook of this.#hooks.toReversed())
      if (hook.when === 'After') stages.unshift(...this.#stagesOf(hook, isWhole, first(), deny, onProgress));
    return stages;
  }

  #stagesOf(hook: Hook, isWhole: boolean, next: Next, deny: Deny, onProgress: () => void): readonly Stage[] {
    const { sensitiveData, holdStream } = hook;
    if (sensitiveData && holdStream && !isWhole) {
      const hold = new HoldStage(next, deny, couldNot(hook));
      return [new RewriteStage(this.#rewriting(hook, sensitiveData, deny), hold), hold];
    }
    if (sensitiveData) return [new RewriteStage(this.#rewriting(hook, sensitiveData, deny), next)];
    if (hook.mode === 'Observe') {
      const tell = (answer: ToldAnswer) => this.#observe(hook, this.#aboutAnswer(hook, answer));
      return [new ListenStage(tell, hook.http?.maxBodyBytes ?? 0, next)];
    }
    const seesAll = isWhole || holdStream;
    const deciding: Deciding = {
      ask: answer => {
        const fits = (one: Replacement) => seesAll && 'texts' in one && one.texts.length === answer.texts.length;
        return this.#ask(hook, this.#aboutAnswer(hook, answer), fits);
      },
      refusalOf: answer => this.#refusalOf(hook, answer),
      seesAll,
      window: hook.http?.window ?? Number.POSITIVE_INFINITY,
      onProgress,
    };
    return [new AskStage(deciding, next, deny)];
  }

  #rewriting(hook: Hook, { kinds: wanted, action }: SensitiveData, deny: Deny): Rewriting<SensitiveKind> {
    let outcome: HookOutcome = 'allow';
    const startedAt = this.#ports.monotonic();
    return {
      wanted: wantedOf(wanted),
      hidesProbabilities: action === 'Mask',
      onEnd: () => this.#told(hook, outcome, startedAt),
      by: found => {
        outcome = 'replace';
        if (action === 'Mask') return this.#masks.placeholderOf(found.kind, found.text, false);
        this.#told(hook, 'deny', startedAt);
        deny(holds('answer', [found]));
        return undefined;
      },
    };
  }

  #restoring(): Rewriting<'placeholder'> {
    return {
      wanted: [this.#masks.wanted],
      hidesProbabilities: false,
      by: ({ text }) => this.#masks.valueOf(text),
    };
  }

  // ------------------------------------------------------------ questions

  /** @param fits whether what it would put in its place can stand there */
  async #ask(hook: Hook, body: string, fits: (replacement: Replacement) => boolean): Promise<Answer> {
    const startedAt = this.#ports.monotonic();
    const target = hook.http;
    const said: Answer = target
      ? await askHook({
          http: this.#ports.http,
          target,
          headers: this.#headersFor(target),
          body,
          timeoutMs: Math.min(target.timeout, this.#deadline - startedAt),
        })
      : { kind: 'failed', why: 'unusable' };
    const answer: Answer = said.kind === 'replace' && !fits(said) ? { kind: 'failed', why: 'bad_verdict' } : said;
    this.#told(hook, answer.kind === 'failed' ? answer.why : answer.kind, startedAt);
    return answer;
  }

  #observe(hook: Hook, body: string): void {
    const { hookPlaces } = this.#ports;
    const id = `${this.#call.plan.route!.id} ${hook.name}`;
    if (!hookPlaces.take(id)) return this.#told(hook, 'dropped', this.#ports.monotonic());
    void this.#ask(hook, body, () => true).finally(() => hookPlaces.free(id));
  }

  /** undefined: a secret is not there. */
  #headersFor({ headers }: NonNullable<Hook['http']>): Record<string, string> | undefined {
    const all: Record<string, string> = {};
    for (const { name, value, credential } of headers) {
      const secret = credential === undefined ? '' : this.#call.config.credential(credential);
      if (secret === undefined) return undefined;
      all[name] = value + secret;
    }
    return all;
  }

  /** Monotonic: hooks take no more time than the request has. */
  get #deadline(): number {
    const { envelope, plan } = this.#call;
    const limit = envelope.controls.timeout ?? plan.route?.timeouts.request ?? Number.POSITIVE_INFINITY;
    return this.exchange.startedAt + limit;
  }

  #refusalOf(hook: Hook, answer: Exclude<Answer, Replacement>): Failure | undefined {
    if (answer.kind === 'allow' || (answer.kind === 'failed' && hook.onFailure === 'Allow')) return undefined;
    if (answer.kind === 'failed') return couldNot(hook);
    return failure('denied_by_hook', {
      message: answer.reason ?? `The check '${hook.name}' of the route does not allow this.`,
    });
  }

  #aboutAnswer(hook: Hook, { texts, isLast, window, wasCut }: ToldAnswer): string {
    const answer = { texts, isLast, window, ...(wasCut && { wasCut }) };
    return `{${this.#about(hook)},"answer":${JSON.stringify(answer)}}`;
  }

  /** The fields that all questions have, without the braces. */
  #about({ name, when }: Hook): string {
    const { key, envelope, plan } = this.#call;
    const { entry } = key;
    const { id, frontend } = this.exchange;
    const about = {
      hook: name,
      when,
      requestId: id,
      tenant: entry.tenant,
      key: { name: `${entry.namespace}/${entry.name}`, alias: entry.alias ?? entry.name },
      route: plan.route!.id,
      model: envelope.model,
      operation: frontend.operation,
      dialect: frontend.dialect,
      stream: envelope.stream,
      tags: this.#tags,
    };
    return JSON.stringify(about).slice(1, -1);
  }

  #told(hook: Hook, outcome: HookOutcome, startedAt: number): void {
    const ms = this.#ports.monotonic() - startedAt;
    const { name, when } = hook;
    this.#ports.observer.hooked?.(this.exchange, { route: this.#call.plan.route!.id, hook: name, when, outcome, startedAt, ms });
  }
}

/** Where a request has the numbers of its tokens instead of a text; undefined: nowhere. */
function tokensIn({ frontend }: Exchange, { body }: Call): string | undefined {
  if (frontend.operation !== 'Embeddings' && frontend.operation !== 'Completions') return undefined;
  const field = frontend.fields.turns;
  const texts = body.has(field) ? body.get(field) : undefined;
  return Array.isArray(texts) && texts.some(text => typeof text !== 'string') ? field : undefined;
}

/** Of the random end of a request's id. */
const TAG_LENGTH = 6;

/** With what a provider has of earlier requests, and of their placeholders. */
const goesOn = ({ envelope }: Call): boolean =>
  envelope.names?.some(({ kind }) => kind === 'response' || kind === 'conversation' || kind === 'item') === true;

/** undefined: the client has left meanwhile. */
function whileHere<T>(client: Client, answer: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    client.listener = { clientLeft: () => resolve(undefined), clientDrained: () => {} };
    answer.then(resolve, reject).finally(() => {
      client.listener = undefined;
    });
  });
}

const couldNot = ({ name }: Hook): Failure =>
  failure('hook_failed', { message: `The check '${name}' of the route could not be made.` });

/** Names what was found by its kind alone. */
function holds(what: 'request' | 'answer', found: readonly { readonly kind: SensitiveKind }[]): Failure {
  const words = [...new Set(found.map(({ kind }) => kinds[kind].words))].join(', ');
  return failure('denied_by_hook', { message: `The ${what} holds ${words}, which the route does not let through.` });
}

function differenceOf(was: Call, is: Call): string | undefined {
  if (is.envelope.model !== was.envelope.model) return 'it is for another model.';
  if (is.envelope.stream !== was.envelope.stream) return 'it asks for another form of answer.';
  return is.plan.route?.id === was.plan.route?.id ? undefined : 'it is for another route.';
}
