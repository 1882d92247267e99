// The arguments of a tool call for dialects that carry them parsed.

/** Arguments that are no JSON, as of an answer cut by its length, are wrapped as Anthropic advises ("Fine-grained tool streaming"). */
export function toolInput(json: string): unknown {
  if (json.trim() === '') return {};
  try {
    return JSON.parse(json);
  } catch {
    return { INVALID_JSON: json };
  }
}
