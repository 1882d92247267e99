// Reads a price list in LiteLLM's format (model_prices_and_context_window.json): `{"<model>": {"input_cost_per_token": 2.5e-06, ...}}`.

export type ListedPrices = {
  readonly version: string;
  readonly models: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

/** @returns undefined when the text is no such list */
export function loadPriceFile(text: string, digest: (text: string) => string): ListedPrices | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(parsed)) return undefined;
  const models = Object.fromEntries(
    Object.entries(parsed).filter((entry): entry is [string, Record<string, unknown>] => isRecord(entry[1])),
  );
  return { version: digest(text).slice(0, 12), models };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
