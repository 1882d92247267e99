// What is sent to others about requests and errors: where the environment asks for it, and nothing otherwise.

/** By OpenTelemetry's environment variables (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables). */
export type TraceSettings = {
  readonly sampler: TraceSampler;
  /** 0..1. */
  readonly ratio: number;
  readonly batch: {
    readonly scheduledDelayMillis?: number;
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
    readonly exportTimeoutMillis?: number;
  };
};

export const traceSamplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type TraceSampler = (typeof traceSamplers)[number];

export type TelemetrySettings = {
  /** Absent: no traces. */
  readonly traces?: TraceSettings;
  /** Absent: errors of the gateway are in its log alone. */
  readonly sentryDsn?: string;
  /** SENTRY_ENVIRONMENT. */
  readonly sentryEnvironment?: string;
};
