// Puts tracing together with the exporter of OpenTelemetry's SDK. Loaded only where OTEL_EXPORTER_OTLP_ENDPOINT is set; the endpoint, its
// headers, timeout, compression and certificates, and the resource, are what the SDK reads from the environment.
import { randomFillSync } from 'node:crypto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Snapshot } from '#core/snapshot/snapshot.ts';
import { systemClock } from '#platform/clock.ts';
import { VERSION } from '../head.ts';
import { providerNames } from '../metrics-genai.ts';
import type { TraceSettings } from '../telemetry-settings.ts';
import { spansOf } from './spans.ts';
import type { TraceParent } from './trace-context.ts';
import { RequestTraces } from './tracing.ts';

export type OpenTracing = {
  readonly traces: RequestTraces;
  /** What is left is sent, as long as that takes no longer than the exporter's timeout. */
  close(): Promise<void>;
};

/** At 1,000 requests a second some seconds' worth; what is beyond is dropped. */
const MAX_QUEUE = 16_384;

export function openTracing(settings: TraceSettings, snapshot: () => Pick<Snapshot, 'providers'>): OpenTracing {
  const { maxQueueSize = MAX_QUEUE, ...batch } = settings.batch;
  const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), maxQueueSize, ...batch });
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'tollgate', 'service.version': VERSION }))
    .merge(detectResources({ detectors: [envDetector] }));
  const providerName = (id: string): string | undefined => {
    const provider = snapshot().providers[id];
    return provider && providerNames[provider.connection.type];
  };
  const traces = new RequestTraces({
    sampled: samplerOf(settings),
    export(trace) {
      for (const span of spansOf(trace, { resource, providerName })) processor.onEnd(span as ReadableSpan as never);
    },
    randomHex: hexSource(),
    ...systemClock,
  });
  return { traces, close: () => processor.shutdown() };
}

/** A request of a sampled parent belongs to its trace; of those that begin here each is sampled with the same probability. */
function samplerOf({ sampler, ratio }: TraceSettings): (parent: TraceParent | undefined) => boolean {
  const followsParent = sampler.startsWith('parentbased_');
  const root = sampler.replace('parentbased_', '');
  const share = root === 'always_off' ? 0 : root === 'always_on' ? 1 : ratio;
  return parent => (followsParent && parent ? parent.sampled : Math.random() < share);
}

const POOL_BYTES = 4096;

/** Chance by the page: a call for every id costs a microsecond. */
function hexSource(): (bytes: number) => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let at = POOL_BYTES;
  return bytes => {
    if (at + bytes > POOL_BYTES) {
      randomFillSync(pool);
      at = 0;
    }
    at += bytes;
    return pool.toString('hex', at - bytes, at);
  };
}
