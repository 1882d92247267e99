// Batches: what one may cost is held before it is made, in a row of its own that is open for as long as the provider works on it. Whoever sees
// its end first (a client that asks, the process that made it) settles it; if nobody does, it costs what was held for it.
import { costOf } from '#core/accounting/cost.ts';
import { type CostRecord, type Written, written } from '#core/accounting/cost-record.ts';
import { refusalOf } from '#core/admission/refusal.ts';
import { noUsage } from '#core/chat/usage.ts';
import { type Failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import { askOnce } from '#platform/http-ask.ts';
import { writeDown } from './attempt-over.ts';
import type { Call } from './call.ts';
import type { LiveConfig } from './config/live.ts';
import { uncheckedBatch } from './hooks/unseen.ts';
import { type BatchFile, boundOfBatch, endOfBatch, modelByEitherName, priceInBatch } from './passthrough/batch.ts';
import { PASSED_DIALECT } from './passthrough/endpoints.ts';
import { notFound, placeUnknown } from './pinned.ts';
import type { Pin } from './pins/pins.ts';
import type { Ports } from './ports.ts';
import { passedWireFor } from './providers/index.ts';
import { openRow, settled } from './settle.ts';
import { parseJson } from './upstream-request.ts';

/** A day to do it in, and an hour to tell of it. */
const LEASE_MS = 25 * 3_600_000;

/** What is held for a batch that is not made yet. */
export class BatchHold {
  readonly #row: Written;
  readonly #call: Omit<Call, 'batch'>;
  readonly #ports: Ports;
  #isMade = false;
  #isOver = false;

  constructor(row: Written, call: Omit<Call, 'batch'>, ports: Ports) {
    this.#row = row;
    this.#call = call;
    this.#ports = ports;
  }

  /** The provider has taken it: from now on it is found by its id. */
  async made(id: string, pin: Omit<Pin, 'tokens'>): Promise<void> {
    this.#isMade = true;
    await this.#ports.pins.keep(this.#row.record.tenant, [{ kind: 'batch', id }], { ...pin, about: { row: this.#row.json } });
    watch(id, this.#row.record, this.#ports);
  }

  /** The request is over. What was perhaps made, and is known to nobody, costs what is held for it when its lease ends. */
  over(why: Failure | undefined, wasSent = false): void {
    const isUnsure = wasSent && (!why || why.possiblyBilled === true || why.class === 'client_closed');
    if (this.#isMade || this.#isOver || isUnsure) return;
    this.#isOver = true;
    const { record } = this.#row;
    const result = { ...NO_ANSWER, kind: 'refused', failure: why } as const;
    const row = settled({ candidate: { model: {} } }, record, {
      result,
      usage: noUsage,
      estimated: false,
      gpuSeconds: undefined,
    });
    end(record, { ...row, cost: nanoUsd(0) }, this.#ports, this.#call.config);
  }
}

const UNTOLD_TOOLS =
  'Requests of this file may have tools run that the provider bills by the call: a batch does not tell how often, and the route does not allow that.';

const NO_ANSWER = { model: undefined, upstreamStatus: 0, upstreamId: undefined, firstToken: undefined, duration: millis(0) };

/** Holds what the batch that is asked for may cost. */
export async function holdForBatch(requestId: string, call: Omit<Call, 'batch'>, ports: Ports): Promise<Parsed<BatchHold>> {
  const candidate = call.plan.candidates[0]!;
  const { provider } = candidate;
  const file = await fileOf(call, ports);
  if (!file.ok) return file;
  const model = modelByEitherName(provider, file.value.model);
  if (!model)
    return refuse('model_not_found', {
      message: `The provider ${provider.id} has no model '${file.value.model}' that the gateway knows.`,
    });
  if (!call.key.mayUse(model.name))
    return refuse('model_not_allowed', { message: `This key may not use the model '${model.name}', which the batch is for.` });
  const partlyPriced = model.price !== undefined && file.value.runningTools > 0;
  if (call.plan.route?.onUnknownPrice === 'Deny') {
    if (!model.price) return refuse('unknown_price', { param: 'input_file_id' });
    if (partlyPriced) return refuse('unknown_price', { param: 'input_file_id', message: UNTOLD_TOOLS });
  }
  const unchecked = uncheckedBatch(call, [file.value.model, model.name]);
  if (unchecked) return { ok: false, failure: unchecked };
  const foreign = await foreignIn(file.value, call.key.entry.tenant, provider.id, ports);
  if (foreign) return foreign;
  const bound = { cost: boundOfBatch(file.value, model), tokens: tokens(0) };
  const at = ports.now() as EpochMillis;
  const leaseUntil = epochMillis(at + LEASE_MS);
  const row = written({
    ...openRow(
      {
        exchange: { id: requestId, frontend: { operation: 'Batches', dialect: PASSED_DIALECT } },
        call: { ...call, envelope: { ...call.envelope, model: model.name } },
        candidate: { ...candidate, model },
        endpoint: '',
        attempt: 0,
        purpose: 'first',
        fallbackPosition: 0,
        retryPosition: 0,
        isFirst: { ofProvider: true, ofModel: true, ofBoth: true },
        cache: 'bypass',
        at,
        leaseUntil,
      },
      bound.cost,
    ),
    ...(partlyPriced && { partlyPriced }),
  });
  const asked = call.key.demands.of({ modelRequested: model.name, requestId, bound, leaseUntil, limitsAlone: false });
  // A batch takes a day, and no place among the requests of the moment.
  const demand = { ...asked, limits: [] };
  const answer = await ports.admitter.reserve(demand, call.key, { attempt: 0, json: row.json });
  if (answer.kind === 'unavailable') return refuse('store_unavailable', { retryAfter: millis(1000) });
  if (answer.kind === 'exhausted') {
    ports.admitter.tellExhausted(demand, answer, call.key);
    return { ok: false, failure: { ...refusalOf(answer, demand, at), status: ports.budgetExceededStatus } };
  }
  if (answer.kind === 'limited') return { ok: false, failure: refusalOf(answer, demand, at) };
  if (!ports.costLog.record(row.record, row.json, !answer.copied)) return refuse('store_unavailable');
  return ok(new BatchHold(row, call, ports));
}

/** By its own name: a body may name other things as well. */
async function fileOf({ body, key }: Omit<Call, 'batch'>, { pins }: Ports): Promise<Parsed<BatchFile>> {
  const found = await pins.find(key.entry.tenant, [{ kind: 'file', id: String(body.get('input_file_id')) }]);
  const file = found === 'away' ? undefined : found[0]?.about?.batch;
  if (isRecord(file) && typeof file.model === 'string') return ok(file as unknown as BatchFile);
  const why = isRecord(file) && typeof file.problem === 'string' ? `: ${file.problem}` : '';
  return refuse('invalid_request', {
    message: `No batch can be made of this file: it must be sent up through the gateway, as one form, with the purpose 'batch'${why}.`,
    param: 'input_file_id',
  });
}

/** What the prompts name has to be the tenant's, and there. */
async function foreignIn(
  { names }: BatchFile,
  tenant: string,
  provider: string,
  { pins }: Ports,
): Promise<Parsed<never> | undefined> {
  if (names.length === 0) return undefined;
  const found = await pins.find(tenant, names);
  if (found === 'away') return placeUnknown();
  const at = found.findIndex(pin => pin?.provider !== provider);
  return at < 0 ? undefined : notFound(names[at]!.kind, names[at]!.id, 'input_file_id');
}

// ---------------------------------------------------------------- the end of a batch

/** Settles a batch that is told to be over, where nobody has. @param pin what is known of it */
export async function settleBatch(batch: JsonRecord, pin: Pin, config: LiveConfig, ports: Ports): Promise<void> {
  const told = endOfBatch(batch);
  const json = pin.about?.row;
  if (!told || typeof json !== 'string') return;
  const record = JSON.parse(json) as CostRecord;
  end(record, settledBatch(record, batch, told, config, ports), ports, config);
  const { about: _done, ...place } = pin;
  await ports.pins.keep(record.tenant, [{ kind: 'batch', id: String(batch.id) }], place);
}

function settledBatch(
  record: CostRecord,
  batch: JsonRecord,
  { usage, failed }: NonNullable<ReturnType<typeof endOfBatch>>,
  { snapshot }: LiveConfig,
  { now }: Ports,
): CostRecord {
  const provider = snapshot.providers[record.provider];
  const model = provider && modelByEitherName(provider, record.upstreamModel);
  const price = model?.price && priceInBatch(model.price);
  const result = {
    ...NO_ANSWER,
    kind: failed ? 'refused' : 'answered',
    failure: failed,
    model: typeof batch.model === 'string' ? batch.model : undefined,
    upstreamStatus: 200,
    upstreamId: String(batch.id),
    duration: millis(Math.max(0, now() - record.at)),
  } as const;
  const row = settled({ candidate: { model: { ...(price && { price }) } } }, record, {
    result,
    usage: usage ?? record.usage,
    estimated: usage === undefined,
    gpuSeconds: undefined,
  });
  // It did something and does not say what: as much as was held for it. A model that is gone has the price of then.
  if (usage === undefined) return { ...row, cost: record.rates ? record.reserved : null, possiblyBilled: true };
  return model || !record.rates ? row : { ...row, cost: costOf(usage, priceInBatch({ ...PAST, rates: record.rates })) };
}

const PAST = { source: 'provider', version: '', tiers: [] } as const;

function end(open: CostRecord, row: CostRecord, ports: Ports, config: LiveConfig): void {
  const over = written(row);
  writeDown(over, ports);
  const key = config.keyNamed(open.keyName);
  if (!key) return;
  const { requestId, tenant, leaseUntil } = open;
  const bound = { cost: open.reserved, tokens: tokens(0) };
  const { budgets } = key.demands.of({ modelRequested: open.modelRequested, requestId, bound, leaseUntil, limitsAlone: false });
  ports.admitter.settle({ tenant, id: requestId, limits: [], budgets, cost: row.cost ?? nanoUsd(0), tokens: tokens(0) }, key, [
    { attempt: 0, json: over.json },
  ]);
}

// ---------------------------------------------------------------- who looks

const FIRST_LOOK_MS = 2_000;
const LOOKS_APART_MAX_MS = 60_000;
const LOOK = { timeoutMs: 30_000, maxBytes: 1024 * 1024 };

/** For as long as this process lives: what it does not see is seen by who asks for the batch, or ended by its lease. */
function watch(id: string, record: CostRecord, ports: Ports, pause = FIRST_LOOK_MS): void {
  const timer = setTimeout(() => {
    void look(id, record, ports).then(isOver => {
      const next = Math.min(pause * 1.5, LOOKS_APART_MAX_MS);
      if (!isOver && ports.now() + next < record.leaseUntil) watch(id, record, ports, next);
    });
  }, pause);
  timer.unref();
}

/** @returns whether nobody has to look again */
async function look(id: string, { tenant }: CostRecord, ports: Ports): Promise<boolean> {
  const found = await ports.pins.find(tenant, [{ kind: 'batch', id }]);
  const pin = found === 'away' ? undefined : found[0];
  if (found !== 'away' && !pin?.about?.row) return true;
  const config = ports.config.current();
  const provider = pin && config.snapshot.providers[pin.provider];
  if (!pin || !provider) return false;
  const model = provider.models[0]!;
  const credential = provider.auth && config.credential(provider.auth.credential);
  const wire = passedWireFor({ provider, model });
  const address = wire?.address({ provider, model, credential }, `/batches/${encodeURIComponent(id)}`);
  if (!address) return true;
  const request = { method: 'GET', ...address, body: null, connectTimeoutMs: provider.timeouts.connect };
  const told = await askOnce(ports.http, request, LOOK);
  const reply = told?.status === 200 ? parseJson(told.body) : undefined;
  if (!reply?.ok || !isRecord(reply.value)) return false;
  await settleBatch(reply.value, pin, config, ports);
  return endOfBatch(reply.value) !== undefined;
}
