// A question over HTTP whose answer is a help, not a need: small, whole and soon, or none at all.
import { collector } from './body.ts';
import type { HttpClient, HttpHeaders, HttpRequest } from './http-client.ts';

export type Asked = { readonly status: number; readonly headers: HttpHeaders; readonly body: Buffer };

/** @returns undefined: no whole answer of at most so many bytes in time */
export function askOnce(
  http: HttpClient,
  request: HttpRequest,
  bounds: { readonly timeoutMs: number; readonly maxBytes: number },
): Promise<Asked | undefined> {
  const answer = collector(bounds.maxBytes);
  return new Promise(resolve => {
    let status = 0;
    let headers: HttpHeaders = {};
    const settle = (asked: Asked | undefined) => {
      clearTimeout(timer);
      control.abort();
      resolve(asked);
    };
    const timer = setTimeout(() => settle(undefined), bounds.timeoutMs);
    const control = http.send(request, {
      onHead: (head, told) => {
        status = head;
        headers = told;
      },
      onData: chunk => {
        if (!answer.add(chunk)) settle(undefined);
      },
      onEnd: () => settle({ status, headers, body: answer.all() }),
      onError: () => settle(undefined),
    });
  });
}
