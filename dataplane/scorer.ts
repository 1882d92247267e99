// Asks a trained router over HTTP. It is a help, not a need: whatever goes wrong, there is no score.
import type { Cascade } from '#core/snapshot/snapshot.ts';
import { askOnce } from '#platform/http-ask.ts';
import type { HttpClient } from '#platform/http-client.ts';

const MAX_ANSWER_BYTES = 4096;

/** @returns its answer; undefined: none in time, or none that counts */
export async function scored(
  http: HttpClient,
  { origin, path, timeout }: NonNullable<Cascade['scorer']>,
  body: string,
): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' };
  const request = { method: 'POST', origin, path, headers, body, connectTimeoutMs: timeout };
  const asked = await askOnce(http, request, { timeoutMs: timeout, maxBytes: MAX_ANSWER_BYTES });
  return asked?.status === 200 ? asked.body.toString() : undefined;
}
