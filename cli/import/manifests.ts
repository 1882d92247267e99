// What an import writes: manifests, and the Secrets that they name.
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: 'LLMProvider' | 'LLMRoute' | 'TenantKey' | 'Secret';
  readonly metadata: { readonly name: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
};

export const manifest = (kind: Manifest['kind'], name: string, spec: Readonly<Record<string, unknown>>): Manifest => ({
  apiVersion: 'tollgate.dev/v1alpha1',
  kind,
  metadata: { name },
  spec,
});

/** Lower-case letters, digits and dashes, as Kubernetes wants names. */
export function dnsName(text: string, maxLength = 63): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, maxLength)
    .replaceAll(/^-+|-+$/g, '');
  return plain || 'unnamed';
}

/** Hands out each name once: the second `x` is `x-2`. */
export function uniqueNames(maxLength = 63): (wish: string) => string {
  const given = new Set<string>();
  return wish => {
    const base = dnsName(wish, maxLength - 5);
    let name = base;
    for (let count = 2; given.has(name); count++) name = `${base}-${count}`;
    given.add(name);
    return name;
  };
}

/** Where a secret value comes from: a variable of the gateway's environment, or a text that stood in the file. */
export type Credential = { readonly variable: string } | { readonly literal: string };

export type SecretRef = { readonly name: string; readonly key: string };

/** One Secret for all that was imported. */
export class SecretKeys {
  readonly #name: string;
  readonly #keys = new Map<string, Credential>();

  constructor(name: string) {
    this.#name = name;
  }

  /** The same credential has one key, whoever asks. @param label for a literal, which has no name of its own */
  ref(credential: Credential, label: string): SecretRef {
    const wish = dnsName('variable' in credential ? credential.variable : label, 60);
    let key = wish;
    for (let count = 2; ; count++) {
      const held = this.#keys.get(key);
      if (held === undefined || JSON.stringify(held) === JSON.stringify(credential)) break;
      key = `${wish}-${count}`;
    }
    this.#keys.set(key, credential);
    return { name: this.#name, key };
  }

  /** Literals in base64, so that nothing in them is taken for a variable. @param withVariables false for a cluster, where nobody fills them in */
  manifest(withVariables: boolean): Manifest | undefined {
    const entries = [...this.#keys];
    const data = entries.flatMap(([key, credential]) =>
      'literal' in credential ? [[key, Buffer.from(credential.literal).toString('base64')] as const] : [],
    );
    const stringData = entries.flatMap(([key, credential]) =>
      'variable' in credential && withVariables ? [[key, `$(${credential.variable})`] as const] : [],
    );
    if (data.length + stringData.length === 0) return undefined;
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: this.#name },
      ...(stringData.length > 0 && { stringData: Object.fromEntries(stringData) }),
      ...(data.length > 0 && { data: Object.fromEntries(data) }),
    };
  }

  get name(): string {
    return this.#name;
  }

  /** Keys whose values come from variables. */
  variables(): readonly { readonly key: string; readonly variable: string }[] {
    return [...this.#keys].flatMap(([key, credential]) =>
      'variable' in credential ? [{ key, variable: credential.variable }] : [],
    );
  }
}
