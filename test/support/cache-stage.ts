// What the tests of the cache play on: gateways over one simulator of all wires, and routes that keep answers in each way.
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { patient, provider, providerSecret, route, tenantKey, yamlOf } from './resources.ts';

export const otherTenantKey = 'sk-test-other-tenant-00112233445566778899';
export const sameTenantKey = 'sk-test-same-tenant-00112233445566778899aa';
export const poorKey = 'sk-test-poor-00112233445566778899aabbccddee';
export const rareKey = 'sk-test-rare-00112233445566778899aabbccddee';
export const shyKey = 'sk-test-shy-00112233445566778899aabbccddee';

const anyTemperature = { mode: 'Exact', onlyDeterministic: false };

/** By model: the cache of its route. */
export const caches: Readonly<Record<string, Record<string, unknown>>> = {
  exact: anyTemperature,
  strictly: { mode: 'Exact' },
  claude: { ...anyTemperature, replay: 'Instant' },
  brief: { ...anyTemperature, ttl: '300ms', staleFor: '1h' },
  private: { ...anyTemperature, scope: 'Key' },
  split: { ...anyTemperature, partitionBy: ['customer'] },
  shadow: { ...anyTemperature, shadow: true },
  calls: { ...anyTemperature, toolCalls: true },
  meaning: { mode: 'Semantic', onlyDeterministic: false },
  strict: { mode: 'Semantic', match: 'Strict', onlyDeterministic: false },
  elsewhere: { mode: 'Semantic', onlyDeterministic: false, embedding: { providerRef: { name: 'vectors' }, model: 'embedder' } },
};

export const price = { inputPerMTok: '1', outputPerMTok: '2' };

function yamlFor(origin: string, more: readonly Record<string, unknown>[] = []): string {
  const openai = Object.keys(caches).filter(name => name !== 'claude');
  return yamlOf(
    providerSecret,
    tenantKey(),
    tenantKey('same', sameTenantKey),
    tenantKey('shy', shyKey, { exposeSimilarity: false }),
    tenantKey('poor', poorKey, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.001', period: 'Total' }] }),
    tenantKey('rare', rareKey, { tenant: 'rare', limits: { rpm: 3 } }),
    tenantKey('other', otherTenantKey, { tenant: 'other' }),
    provider(
      'openai',
      'OpenAI',
      origin,
      [...openai, 'plain'].map(name => ({ name, upstreamName: 'gpt-4o', price })),
      patient,
    ),
    provider('claude', 'Anthropic', origin, [{ name: 'claude', upstreamName: 'claude-sonnet-4-5', price }], patient),
    provider(
      'vectors',
      'OpenAICompatible',
      origin,
      [{ name: 'embedder', upstreamName: 'embed-1', capabilities: ['Embeddings'], price }],
      patient,
    ),
    Object.entries(caches).map(([name, cache]) =>
      route(name, name, [name === 'claude' ? 'claude' : 'openai'], {
        cache,
        retries: { attempts: 0 },
        ...(name === 'brief' && { catchAllAnswer: { staleCache: true } }),
      }),
    ),
    route('plain', 'plain', ['openai']),
    ...(more as never[]),
  );
}

export type CacheStage = { readonly simulator: Simulator; readonly gateways: readonly Gateway[]; close(): Promise<void> };

export async function openCacheStage(
  count = 1,
  env: Readonly<Record<string, string>> = {},
  yaml: (origin: string) => string = yamlFor,
): Promise<CacheStage> {
  const simulator = await startSimulator();
  const gateways = await Promise.all(Array.from({ length: count }, () => startGateway({ yaml: yaml(simulator.origin), env })));
  return {
    simulator,
    gateways,
    async close() {
      await Promise.all(gateways.map(gateway => gateway.stop()));
      await simulator.close();
    },
  };
}

/** Requests for an answer that reached the simulator. */
export const upstreamCalls = ({ simulator }: Pick<CacheStage, 'simulator'>): number =>
  simulator.requests().filter(({ path }) => /completions|messages$/.test(path)).length;
