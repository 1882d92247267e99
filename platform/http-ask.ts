// A question over HTTP whose answer is small, whole and soon, or none at all.
import { collector } from './body.ts';
import type { HttpClient, HttpError, HttpHeaders, HttpRequest } from './http-client.ts';

export type Asked = { readonly status: number; readonly headers: HttpHeaders; readonly body: Buffer };

/** Why there is none. */
export type NoAnswer = { readonly failed: 'timeout' | 'too-large' | HttpError['kind'] };

type Bounds = { readonly timeoutMs: number; readonly maxBytes: number };

/** @returns undefined: no whole answer of at most so many bytes in time */
export async function askOnce(http: HttpClient, request: HttpRequest, bounds: Bounds): Promise<Asked | undefined> {
  const answer = await ask(http, request, bounds);
  return 'failed' in answer ? undefined : answer;
}

export function ask(http: HttpClient, request: HttpRequest, bounds: Bounds): Promise<Asked | NoAnswer> {
  const answer = collector(bounds.maxBytes);
  return new Promise(resolve => {
    let status = 0;
    let headers: HttpHeaders = {};
    const settle = (asked: Asked | NoAnswer) => {
      clearTimeout(timer);
      control.abort();
      resolve(asked);
    };
    const timer = setTimeout(() => settle({ failed: 'timeout' }), bounds.timeoutMs);
    const control = http.send(request, {
      onHead: (head, told) => {
        status = head;
        headers = told;
      },
      onData: chunk => {
        if (!answer.add(chunk)) settle({ failed: 'too-large' });
      },
      onEnd: () => settle({ status, headers, body: answer.all() }),
      onError: ({ kind }) => settle({ failed: kind }),
    });
  });
}
