// Compiles what the product loads, as `npm ci` and the image do once, into NODE_COMPILE_CACHE: a start then takes half the time, and does
// not load Node's type stripper (some 25 MiB) at all. Also what is loaded only when it is needed: test/architecture.test.ts
// holds this list against every such import.

export async function warm(): Promise<number> {
  const roles = [import('../dataplane/main.ts'), import('../operator/main.ts'), import('../operator/admin/key-api.ts')];
  const commands = [import('./run.ts'), import('./migrate.ts'), import('./validate.ts')];
  const stores = [
    import('#dataplane/costlog/postgres.ts'),
    import('#dataplane/costlog/sqlite-store.ts'),
    // It only works in a thread; but it has been compiled when it fails.
    import('#dataplane/costlog/sqlite-worker.ts').catch(() => {}),
    import('#dataplane/counters/redis.ts'),
    import('#dataplane/quota/shared-replicas.ts'),
    import('#dataplane/pins/redis.ts'),
    import('#dataplane/cache/redis.ts'),
    import('#dataplane/cache/locks.ts'),
    import('#dataplane/cache/meaning.ts'),
    import('#dataplane/cache/sampling.ts'),
  ];
  const telemetry = [import('#dataplane/tracing/open.ts'), import('#dataplane/error-reports.ts'), import('pino-pretty')];
  const clouds = [
    import('@kubernetes/client-node'),
    import('@aws-sdk/credential-provider-node'),
    import('@smithy/signature-v4'),
    import('google-auth-library'),
  ];
  const whenAsked = [
    import('#simulator/index.ts'),
    import('#dataplane/admin/express-app.ts'),
    import('#dataplane/cache/judge-pairs.ts'),
    import('gpt-tokenizer/encoding/o200k_base'),
    import('http-proxy-3'),
    import('ws'),
  ];
  await Promise.all([...roles, ...commands, ...stores, ...telemetry, ...clouds, ...whenAsked]);
  return 0;
}
