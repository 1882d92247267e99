// What a start refuses in its environment, and that it says so without the value of a secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadSetting, settingsOf } from './settings.ts';

const usable = [
  { REDIS_URL: 'redis://:secret@10.0.0.1:6379/2' },
  { REDIS_URL: 'redis+cluster://a:6379,b:6379' },
  { REDIS_URL: 'unix:/run/redis.sock' },
  { DATABASE_URL: 'postgres://tollgate:secret@db/tollgate' },
  { DATABASE_URL: 'postgresql:///tollgate?host=/run/postgresql' },
];
for (const env of usable)
  test(`${JSON.stringify(env)} is a setting as it stands`, () => {
    const { redisUrl, databaseUrl } = settingsOf(env);
    assert.deepEqual([redisUrl, databaseUrl], [env.REDIS_URL, env.DATABASE_URL]);
  });

const wrong = [
  { REDIS_URL: '10.0.0.1:6379' },
  { REDIS_URL: 'http://:secret@10.0.0.1' },
  { DATABASE_URL: 'tollgate' },
  { DATABASE_URL: 'mysql://tollgate:secret@db/tollgate' },
  { TOLLGATE_PODS: '0' },
  { REDIS_TIMEOUT_MS: '0' },
  { BUDGET_EXCEEDED_STATUS: '500' },
  { KEEP_ALIVE_MS: '75s' },
  { SENTRY_DSN: 'https://secret@sentry.example' },
];
for (const env of wrong)
  test(`${JSON.stringify(env)} is refused by name, without its password`, () => {
    const [name] = Object.keys(env) as [string];
    assert.throws(
      () => settingsOf(env),
      error => error instanceof BadSetting && error.message.startsWith(name) && !error.message.includes('secret'),
    );
  });

test('where a process runs is told by region and zone, of which either may be unknown', () => {
  assert.deepEqual(settingsOf({ TOLLGATE_REGION: 'eu', TOLLGATE_ZONE: 'eu-a' }).home, { region: 'eu', zone: 'eu-a' });
  assert.deepEqual(settingsOf({ TOLLGATE_REGION: '' }).home, {});
});

test('traces are made where an endpoint is named, as the variables of OpenTelemetry say', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  assert.equal(settingsOf({ OTEL_TRACES_SAMPLER: 'always_on' }).traces, undefined);
  assert.equal(settingsOf({ ...endpoint, OTEL_SDK_DISABLED: 'true' }).traces, undefined);
  assert.equal(settingsOf({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }).traces, undefined);
  assert.deepEqual(settingsOf(endpoint).traces, { sampler: 'parentbased_always_on', ratio: 1, batch: {} });
  const sampled = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.05', OTEL_BSP_SCHEDULE_DELAY: '100' };
  assert.deepEqual(settingsOf({ ...endpoint, ...sampled }).traces, {
    sampler: 'traceidratio',
    ratio: 0.05,
    batch: { scheduledDelayMillis: 100 },
  });
  for (const wrong of [
    { OTEL_TRACES_SAMPLER: 'sometimes' },
    { OTEL_TRACES_SAMPLER_ARG: '2' },
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { OTEL_BSP_MAX_QUEUE_SIZE: '0' },
  ])
    assert.throws(() => settingsOf({ ...endpoint, ...wrong }), BadSetting);
});
