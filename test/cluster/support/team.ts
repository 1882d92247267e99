// A team's namespace: what its people apply, and what they read of it.
import type { StatusCondition } from '#core/status/conditions.ts';
import { until } from '#test/support/until.ts';
import type { ApiServer } from './api-server.ts';

type Plural = 'llmproviders' | 'llmroutes' | 'tenantkeys';
const KINDS: Readonly<Record<Plural, string>> = { llmproviders: 'LLMProvider', llmroutes: 'LLMRoute', tenantkeys: 'TenantKey' };
type Status = { readonly conditions?: readonly StatusCondition[]; readonly [field: string]: unknown };

export class TeamNamespace {
  readonly #server: ApiServer;
  readonly name: string;

  constructor(server: ApiServer, name: string) {
    this.#server = server;
    this.name = name;
  }

  create(): Promise<void> {
    return this.#server.namespace(this.name);
  }

  secret(name: string, values: Readonly<Record<string, string>>): Promise<unknown> {
    const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, btoa(value)]));
    return this.#server.apply(`/api/v1/namespaces/${this.name}/secrets/${name}`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      data,
    });
  }

  /** undefined: there is none. */
  async readSecret(name: string): Promise<Record<string, string> | undefined> {
    const answer = await this.#server.try('GET', `/api/v1/namespaces/${this.name}/secrets/${name}`);
    if (answer.status !== 200) return undefined;
    const { data } = answer.body as { data: Record<string, string> };
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, atob(value)]));
  }

  provider(name: string, block: object, secret: string, models: readonly string[], spec: object = {}): Promise<unknown> {
    return this.apply('llmproviders', name, {
      type: 'OpenAICompatible',
      ...block,
      auth: { secretRef: { name: secret, key: 'key' } },
      models: models.map(model => ({ name: model, price: { inputPerMTok: '1', outputPerMTok: '2' } })),
      ...spec,
    });
  }

  route(name: string, model: string, provider: string, spec: object = {}): Promise<unknown> {
    const backends = [{ name: 'b', providerRef: { name: provider } }];
    return this.apply('llmroutes', name, { match: [{ model: { type: 'Exact', value: model } }], backends, ...spec });
  }

  key(name: string, spec: object): Promise<unknown> {
    return this.apply('tenantkeys', name, spec);
  }

  apply(plural: Plural, name: string, spec: object): Promise<unknown> {
    const object = { apiVersion: 'tollgate.dev/v1alpha1', kind: KINDS[plural], metadata: { name }, spec };
    return this.#server.apply(this.#path(plural, name), object);
  }

  annotate(plural: Plural, name: string, annotations: Readonly<Record<string, string>>): Promise<unknown> {
    const change = { metadata: { annotations } };
    return this.#server.call('PATCH', this.#path(plural, name), change, { 'content-type': 'application/merge-patch+json' });
  }

  async delete(plural: Plural, name: string): Promise<void> {
    await this.#server.call('DELETE', this.#path(plural, name));
  }

  async status(plural: Plural, name: string): Promise<Status> {
    const { status = {} } = await this.#server.call<{ status?: Status }>('GET', this.#path(plural, name));
    return status;
  }

  /** All conditions, once this one is as it should be for the newest generation. */
  conditions(
    plural: Plural,
    name: string,
    type: string,
    status = 'True',
    deadlineMs = 10_000,
  ): Promise<readonly StatusCondition[]> {
    let last: unknown;
    return until(
      `${plural} ${name}: ${type} is ${status}`,
      async () => {
        const object = await this.#server.call<{ metadata: { generation: number }; status?: Status }>(
          'GET',
          this.#path(plural, name),
        );
        const conditions = object.status?.conditions ?? [];
        last = conditions;
        const found = conditions.find(condition => condition.type === type);
        return found?.status === status && found.observedGeneration === object.metadata.generation && conditions;
      },
      deadlineMs,
    ).catch(error => {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(last)}`);
    });
  }

  #path(plural: Plural, name: string): string {
    return `/apis/tollgate.dev/v1alpha1/namespaces/${this.name}/${plural}/${name}`;
  }
}
