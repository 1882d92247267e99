// Asks a trained router over HTTP. It is a help, not a need: whatever goes wrong, there is no score.
import type { Cascade } from '#core/snapshot/snapshot.ts';
import { collector } from '#platform/body.ts';
import type { HttpClient } from '#platform/http-client.ts';

const MAX_ANSWER_BYTES = 4096;

/** @returns its answer; undefined: none in time, or none that counts */
export function scored(
  http: HttpClient,
  { origin, path, timeout }: NonNullable<Cascade['scorer']>,
  body: string,
): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' };
  const answer = collector(MAX_ANSWER_BYTES);
  return new Promise(resolve => {
    const timer = setTimeout(() => settle(undefined), timeout);
    const settle = (text: string | undefined) => {
      clearTimeout(timer);
      control.abort();
      resolve(text);
    };
    const control = http.send(
      { method: 'POST', origin, path, headers, body, connectTimeoutMs: timeout },
      {
        onHead: status => {
          if (status !== 200) settle(undefined);
        },
        onData: chunk => {
          if (!answer.add(chunk)) settle(undefined);
        },
        onEnd: () => settle(answer.all().toString()),
        onError: () => settle(undefined),
      },
    );
  });
}
