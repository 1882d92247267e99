// The simulator's HTTP server: finds the wire of a request, checks its credential and body, and lets the answer be delivered.
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type Answer, type Ask, answerTo, generatedTokens } from './answer.ts';
import { Api, type ApiReply, isFlowing, readApiBody } from './api/index.ts';
import { RealtimeServer, type SessionAsked } from './api/realtime.ts';
import { Control, type ControlHandlers } from './control.ts';
import { deliver, type Head } from './delivery.ts';
import { type Fault, type FaultCall, faultInModel, faultNamed, parseFault } from './faults.ts';
import { KeptResponses } from './kept.ts';
import { type Bill, Bills, type Entry, entryOf, Requests } from './record.ts';
import { type Route, routeOf } from './routes.ts';
import { isRecord, type Json } from './shape.ts';
import { frameSteps, type Pace, paced, type Step, write } from './steps.ts';
import { promptTotal } from './tokens.ts';
import { azure } from './wires/azure.ts';
import { openai } from './wires/openai.ts';
import { header, type Refusal, type Reply, type Wire } from './wires/wire.ts';

/** Not imported: an `import` would have Node load its own `fetch` as well. */
const { createServer } = process.getBuiltinModule('node:http');

export type Settings = Pace & { readonly tokensPerFrame: number };

export type ServerOptions = {
  readonly settings: Settings;
  readonly keys: readonly string[] | undefined;
  readonly wire: 'all' | 'vllm';
  /** What vLLM's wire lists. */
  readonly models: readonly string[];
  readonly log: (line: string) => void;
  /** What makes the tokens where that is more than a pace. */
  readonly engine?: Engine | undefined;
  /** Control endpoints besides the simulator's own. */
  readonly moreControl?: ControlHandlers;
};

export type Engine = {
  /** An answer of its own, before all others, `after` so many milliseconds; undefined: it is not for the engine alone to say. */
  readonly plain: (method: string, path: string) => { readonly refusal: Refusal; readonly after: number } | undefined;
  /** Takes a request in, or says why not. `steps` are paced by its tokens; `over`: they are no longer wanted, or all there. */
  readonly generate: (
    ask: Ask,
    body: unknown,
    answers: readonly Answer[],
  ) => { readonly refusal: Refusal } | { readonly steps: (steps: Iterable<Step>) => Iterable<Step>; readonly over: () => void };
  /** The most tokens of an answer. */
  readonly roomFor: (ask: Ask) => number;
};

export type SimulatorServer = {
  readonly http: Server;
  readonly requests: Requests;
  readonly bills: Bills;
  readonly control: Control;
  /** Sessions are no connections of HTTP any more. */
  readonly endSessions: () => void;
};

const maxBodyBytes = 64 * 1024 * 1024;

export function simulatorServer(options: ServerOptions): SimulatorServer {
  const requests = new Requests();
  const bills = new Bills();
  const control = new Control(requests, bills, options.moreControl);
  const context = { ...options, requests, bills, control, kept: new KeptResponses(), api: new Api() };
  // No limits of Node's own: timeouts are what the other side is tested for.
  const http = createServer(
    { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 60_000, noDelay: true },
    (request, response) => {
      serve(context, request, response).catch(error => {
        options.log(`simulator: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        response.destroy();
      });
    },
  );
  http.on('connection', socket => {
    if (control.resetsConnection()) socket.resetAndDestroy();
  });
  const sessions = new RealtimeServer(http, request => sessionAsked(context, request));
  return { http, requests, bills, control, endSessions: () => sessions.end() };
}

type Context = ServerOptions &
  Omit<SimulatorServer, 'http' | 'endSessions'> & { readonly kept: KeptResponses; readonly api: Api };

/** A session is opened, or why not. */
function sessionAsked(context: Context, request: IncomingMessage): ReturnType<SessionAsked> {
  const url = URL.parse(request.url ?? '/', 'http://simulator') ?? new URL('http://simulator/');
  const wire = url.pathname.startsWith('/openai/') ? azure : openai;
  const entry = context.requests.open('GET', request.url ?? '/', request.headers);
  entry.wire = wire.name;
  const isThere = context.wire === 'all' && /^(?:\/openai)?\/v1\/realtime$/.test(url.pathname);
  const asked = url.searchParams.get('model');
  const denied =
    deniedCredential(context, wire, request) ??
    (isThere ? undefined : wire.refuse(404, 'Invalid URL')) ??
    (asked ? undefined : wire.refuse(400, 'You must provide a model parameter.'));
  const named = faultInModel(asked ?? '');
  entry.model = named.model;
  const call = denied ? undefined : faultOf(context, request, entry, named.fault);
  const refusal = denied ?? (call && faultNamed(call.name)?.refuse?.({ wire, model: named.model, options: call.options }));
  entry.status = refusal?.status ?? 101;
  return refusal ?? { model: named.model, fault: call?.name };
}

async function serve(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', headers } = request;
  const url = URL.parse(request.url ?? '/', 'http://simulator') ?? new URL('http://simulator/');
  if (url.pathname.startsWith('/__simulator/'))
    return context.control.serve(method, url.pathname, (await bodyOf(request)) ?? '', response);
  const own = context.engine?.plain(method, url.pathname);
  // Metrics are read several times a second: they would push all else out of the record.
  const entry = own
    ? entryOf(0, method, request.url ?? '/', headers)
    : context.requests.open(method, request.url ?? '/', headers);
  const api = context.wire === 'all' ? context.api.at(method, url.pathname) : undefined;
  if (api) return servedByApi(context, request, response, entry, url, api);
  const route = routeOf(method, url, headers, context.wire);
  entry.wire = route.wire.name;
  const raw = await bodyOf(request).catch(() => 'gone' as const);
  if (raw === 'gone') return void Object.assign(entry, { aborted: true, outcome: 'aborted', endedAt: Date.now() });
  if (raw !== undefined && !own) context.requests.body(entry, raw);
  const found =
    raw === undefined
      ? refusing(route.wire.trouble('too-large', ''))
      : own
        ? perhapsFaulted(context, request, entry, route.wire, delayed(refusing(own.refusal), own.after))
        : considered(context, route, request, raw, entry);
  context.log(
    `${method} ${url.pathname} ${found.head.status}${entry.model ? ` ${entry.model}` : ''}${entry.fault ? ` fault=${entry.fault}` : ''}`,
  );
  try {
    await deliver(response, found.head, found.steps, found.fault?.manner ?? {}, entry);
  } finally {
    found.settle?.();
  }
}

/** The rest of OpenAI's API: forms and bytes as well as JSON. */
async function servedByApi(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  entry: Entry,
  url: URL,
  { ids, answer }: NonNullable<ReturnType<Api['at']>>,
): Promise<void> {
  const wire = url.pathname.startsWith('/openai/') ? azure : openai;
  entry.wire = wire.name;
  const named = faultOf(context, request, entry, undefined);
  const cutAfter = named?.name === 'cut-upload' ? Number(named.options.bytes ?? 1000) : Number.POSITIVE_INFINITY;
  const bytes = await bytesOf(request, cutAfter).catch(() => 'gone' as const);
  if (bytes === 'gone') return void Object.assign(entry, { aborted: true, outcome: 'aborted', endedAt: Date.now() });
  const body = await readApiBody(request.headers['content-type'] ?? '', bytes);
  const model = modelIn(body?.fields);
  const inModel = faultInModel(model ?? '');
  if (model !== undefined) entry.model = inModel.model;
  context.requests.body(
    entry,
    JSON.stringify({ fields: body?.fields, files: body?.files.map(of => ({ ...of, file: aboutFile(of.file) })) }),
  );
  entry.bodyBytes = bytes.length;
  const call = named ?? faultOf(context, request, entry, inModel.fault);
  const fields = { ...body?.fields, ...(model !== undefined && { model: inModel.model }) };
  const usual = () =>
    body ? flowing(answer({ ids, query: url.searchParams, body: { ...body, fields }, now: now() })) : refusing(wire.badJson(''));
  const denied = deniedCredential(context, wire, request);
  const found = denied ? refusing(denied) : call ? faulted(call, wire, usual, inModel.model) : usual();
  context.log(`${request.method} ${url.pathname} ${found.head.status}${entry.fault ? ` fault=${entry.fault}` : ''}`);
  await deliver(response, found.head, found.steps, found.fault?.manner ?? {}, entry);
}

const aboutFile = ({ name, type, bytes }: { name: string; type: string; bytes: Buffer }) => ({
  name,
  type,
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});

async function bytesOf(request: IncomingMessage, cutAfter: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > cutAfter) request.socket.resetAndDestroy();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function flowing(reply: ApiReply): Outgoing {
  if (!isFlowing(reply)) return { ...refusing(reply), steps: [write('body', JSON.stringify(reply.body))] };
  const isText = reply.type.startsWith('text/event-stream');
  const length = reply.pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  return {
    head: { status: 200, headers: { 'content-type': reply.type, ...(!isText && { 'content-length': String(length) }) } },
    steps: reply.pieces.map((piece, i) => write(isText && i === reply.pieces.length - 1 ? 'finish' : 'content', piece)),
  };
}

/** Undefined when it is too large; the rest is read and dropped, so that the client gets to read the answer. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  return size <= maxBodyBytes ? Buffer.concat(chunks).toString() : undefined;
}

/** What goes out: a head, the steps of the body, and what to write down afterwards. */
type Outgoing = {
  readonly head: Head;
  readonly steps: Iterable<Step>;
  readonly fault?: Fault | undefined;
  readonly settle?: () => void;
};

function considered(context: Context, route: Route, request: IncomingMessage, raw: string, entry: Entry): Outgoing {
  const { wire } = route;
  const denied = wire.denied
    ? wire.denied(signedRequest(request, raw), context.keys, Date.now())
    : deniedCredential(context, wire, request);
  if (denied) return refusing(denied);
  if (route.kind === 'refused') return refusing(route.refusal);
  if (route.kind === 'kept')
    return perhapsFaulted(context, request, entry, wire, refusing(context.kept.answer(entry.method, route.id, route.below)));
  if (route.kind === 'plain') return perhapsFaulted(context, request, entry, wire, refusing(route.reply(now(), context.models)));
  const body = parsedJson(raw);
  if (body === undefined) return refusing(wire.badJson(raw));
  if (route.kind === 'count') {
    const named = faultInModel(modelIn(body) ?? '');
    entry.model = named.model;
    const reply = route.reply(named.fault ? { ...(body as Json), model: named.model } : body, request.headers);
    return perhapsFaulted(context, request, entry, wire, refusing(reply), named.fault);
  }
  const read = wire.read(body, request.headers, route.deployment, context.kept);
  if (!read.ok) return refusing(read.refusal);
  const named = faultInModel(read.ask.model);
  const ask = { ...read.ask, model: named.model };
  entry.model = ask.model;
  const call = faultOf(context, request, entry, named.fault);
  if (!call) return generated(context, wire, ask, body, undefined, entry);
  return faulted(call, wire, () => generated(context, wire, ask, body, faultNamed(call.name), entry), ask.model);
}

/** For requests that generate nothing: faults come by header, by the name of their model, or by a rule for the path. */
function perhapsFaulted(
  context: Context,
  request: IncomingMessage,
  entry: Entry,
  wire: Wire,
  usual: Outgoing,
  named?: FaultCall,
): Outgoing {
  const call = faultOf(context, request, entry, named);
  return call ? faulted(call, wire, () => usual, entry.model ?? '') : usual;
}

function modelIn(body: unknown): string | undefined {
  const model = isRecord(body) ? body.model : undefined;
  return typeof model === 'string' ? model : undefined;
}

const signedRequest = ({ method = '', url = '', headers }: IncomingMessage, body: string) => ({ method, url, headers, body });

function deniedCredential(context: Context, wire: Wire, request: IncomingMessage): Refusal | undefined {
  if (!wire.needsCredential) return undefined;
  const credential = wire.credential(request.headers);
  if (!credential) return wire.refuse(401, wire.missingCredential);
  return context.keys && !context.keys.includes(credential) ? wire.trouble('authentication', '') : undefined;
}

function faultOf(context: Context, request: IncomingMessage, entry: Entry, named: FaultCall | undefined): FaultCall | undefined {
  const asked = header(request.headers, 'x-simulate-fault');
  const call = asked ? parseFault(asked) : (named ?? context.control.faultFor(entry.model, entry.path));
  if (call) entry.fault = call.name;
  return call;
}

/** `answer` is asked for when it is needed: a request that is refused is nothing an engine works on. */
function faulted(call: FaultCall, wire: Wire, answer: () => Outgoing, model: string): Outgoing {
  const fault = faultNamed(call.name);
  if (!fault) return refusing(wire.refuse(404, `The simulator knows no fault '${call.name}'.`));
  const faultContext = { wire, model, options: call.options };
  if (fault.refuse && !(fault.answer && wire.answersFiltered)) return { ...refusing(fault.refuse(faultContext)), fault };
  const usual = answer();
  // A body that is not the usual one has not its length either.
  const { 'content-length': length, ...headers } = usual.head.headers;
  return {
    ...usual,
    fault,
    head: {
      ...usual.head,
      headers: {
        ...headers,
        ...(!fault.steps && length !== undefined && { 'content-length': length }),
        ...(fault.contentType !== undefined && { 'content-type': fault.contentType }),
      },
    },
    steps: fault.steps ? fault.steps(usual.steps, faultContext) : usual.steps,
  };
}

function refusing(refusal: Refusal): Outgoing {
  const isText = typeof refusal.body === 'string';
  const body = isText ? (refusal.body as string) : JSON.stringify(refusal.body);
  const headers = {
    'content-type': isText ? 'text/plain' : 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...refusal.headers,
  };
  return { head: { status: refusal.status, headers }, steps: body === '' ? [] : [write('noise', body)] };
}

const delayed = (outgoing: Outgoing, ms: number): Outgoing =>
  ms > 0 ? { ...outgoing, steps: [{ do: 'wait', ms }, ...outgoing.steps] } : outgoing;

function generated(context: Context, wire: Wire, asked: Ask, body: unknown, fault: Fault | undefined, entry: Entry): Outgoing {
  const { engine } = context;
  const ask = engine && asked.maxTokens === undefined ? { ...asked, maxTokens: engine.roomFor(asked) } : asked;
  const answers = Array.from({ length: ask.choices }, (_, choice) => {
    const answer = answerTo(ask, choice);
    return fault?.answer?.(answer, ask) ?? answer;
  });
  const work = engine?.generate(ask, body, answers);
  if (work && 'refusal' in work) return refusing(work.refusal);
  const reply: Reply = {
    ask,
    answers,
    created: now(),
    tokensPerFrame: context.settings.tokensPerFrame,
    usage: 'right',
    oldReasoningField: false,
    ...fault?.reply,
  };
  const kept = wire.keeps?.(reply);
  if (kept) context.kept.keep(kept);
  const steps = ask.stream
    ? frameSteps(wire.frames(reply), wire)
    : [write('body', JSON.stringify(wire.whole(reply)), answers.reduce(addTokens, 0))];
  return {
    head: {
      status: 200,
      headers: { 'content-type': ask.stream ? (wire.streamType ?? streamType) : 'application/json', ...wire.headers(ask.digest) },
    },
    steps: work ? work.steps(steps) : paced(steps, context.settings, ask.digest),
    settle: () => {
      work?.over();
      charge(context.bills.of(ask.model), ask, entry);
    },
  };
}

function charge(bill: Bill, ask: Ask, entry: Entry): void {
  bill.requests += 1;
  entry.promptTokens = promptTotal(ask.usage);
  bill.prompt_tokens += entry.promptTokens;
  bill.cached_tokens += ask.usage.cacheRead;
  bill.completion_tokens += entry.tokens;
  if (ask.searches?.length) bill.searches = (bill.searches ?? 0) + ask.searches.length;
  bill.aborted += entry.aborted ? 1 : 0;
  if (ask.level === undefined) return;
  const { prompt_tokens, completion_tokens } = bill.levels?.[ask.level] ?? { prompt_tokens: 0, completion_tokens: 0 };
  const level = { prompt_tokens: prompt_tokens + entry.promptTokens, completion_tokens: completion_tokens + entry.tokens };
  bill.levels = { ...bill.levels, [ask.level]: level };
}

const streamType = 'text/event-stream; charset=utf-8';

const addTokens = (total: number, answer: Answer): number => total + generatedTokens(answer);

const now = (): number => Math.floor(Date.now() / 1000);

function parsedJson(raw: string): unknown {
  try {
    return JSON.parse(raw) ?? undefined;
  } catch {
    return undefined;
  }
}
