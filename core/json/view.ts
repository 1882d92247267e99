// The request body as the gateway sees it: bytes, and where each top-level field stands in them. Fields are parsed one by one
// on demand, so a 5 MB prompt that passes through unchanged is never turned into objects.

/** `[keyStart, keyEnd)` covers the quoted key, `[start, end)` the value, both without surrounding white space. */
export type Field = { readonly keyStart: number; readonly keyEnd: number; readonly start: number; readonly end: number };

export class JsonView {
  readonly bytes: Buffer;
  readonly fields: ReadonlyMap<string, Field>;
  #whole: Readonly<Record<string, unknown>> | undefined;

  /** Only `scanObject` makes these: the bytes are known to be one valid JSON object, UTF-8, without duplicate keys. */
  constructor(bytes: Buffer, fields: ReadonlyMap<string, Field>) {
    this.bytes = bytes;
    this.fields = fields;
  }

  has(name: string): boolean {
    return this.fields.has(name);
  }

  /** The value of one top-level field; undefined where it is absent. Parsed anew at each call. */
  get(name: string): unknown {
    const field = this.fields.get(name);
    return field && JSON.parse(this.bytes.toString('utf8', field.start, field.end));
  }

  /** The whole body as an object; parsed once. */
  whole(): Readonly<Record<string, unknown>> {
    this.#whole ??= JSON.parse(this.bytes.toString()) as Record<string, unknown>;
    return this.#whole;
  }
}
