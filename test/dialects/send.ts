// One request of a client through the gateway, and what the provider saw of it.
import { clientKey } from '#test/support/resources.ts';
import type { Ask, Client, Json } from './ask.ts';

export type Reply = {
  readonly status: number;
  readonly bytes: Buffer;
  /** What the header says that was left out. */
  readonly dropped: readonly string[];
  readonly costUSD: number | undefined;
};

export const jsonOf = ({ bytes }: Reply): Json => JSON.parse(bytes.toString());

export const send = (url: string, client: Client, ask: Ask): Promise<Reply> => post(url, client.write(ask));

const ASK_DEADLINE_MS = 60_000;

export async function post(url: string, { path, body }: { path: string; body: Json }): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ASK_DEADLINE_MS),
  });
  const cost = response.headers.get('x-tollgate-cost-usd');
  return {
    status: response.status,
    bytes: await allOf(response),
    dropped: response.headers.get('x-tollgate-dropped')?.split(/, ?/) ?? [],
    costUSD: cost === null ? undefined : Number(cost),
  };
}

/** A stream that failed ends in a destroyed connection: what came before is what the client has. */
async function allOf({ body }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of body ?? []) chunks.push(chunk);
  } catch (error) {
    if (chunks.length === 0) throw error;
  }
  return Buffer.concat(chunks);
}
