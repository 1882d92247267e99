// Signs requests to AWS (Signature Version 4) with AWS's own library, which is loaded with the first one.
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';

export type AwsRequest = {
  readonly method: string;
  readonly origin: string;
  /** Encoded once, as it is sent: the signature is of its second encoding. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | null;
};

export type AwsSigning = {
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly region: string;
  readonly service: string;
  readonly at: Date;
};

/** What stays as it is on any way through proxies. */
const SIGNED = ['content-type'];

/** The headers that a request has to get, lower-case names. It may still get others, and no other body or path. */
export async function awsSignature(
  request: AwsRequest,
  { keys, region, service, at }: AwsSigning,
): Promise<Record<string, string>> {
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const signer = new SignatureV4({ credentials: keys, region, service, sha256: Sha256, applyChecksum: false });
  const { method, origin, path, headers, body } = request;
  const { protocol, host, hostname } = new URL(origin);
  const taken = Object.entries(headers).filter(([name]) => SIGNED.includes(name));
  const bare = { host, ...Object.fromEntries(taken) };
  const signed = await signer.sign({ method, protocol, hostname, path, headers: bare, body }, { signingDate: at });
  return Object.fromEntries(Object.entries(signed.headers).filter(([name]) => !(name in bare)));
}

/** Node's, in the form that the library asks for. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('a hash is made for each use');
  }
}

function bytesOf(secret: string | ArrayBuffer | ArrayBufferView): string | Buffer {
  if (typeof secret === 'string') return secret;
  return ArrayBuffer.isView(secret) ? Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength) : Buffer.from(secret);
}
