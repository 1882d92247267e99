// What GKE's metadata server and the Security Token Service say of who a pod is: the bearer of one token.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type GoogleMetadata = { readonly host: string; close(): void };

export async function startGoogleMetadata(token: string): Promise<GoogleMetadata> {
  const lent = { access_token: token, expires_in: 3600, token_type: 'Bearer' };
  const server = createServer((request, response) => {
    const isKnown = /\/service-accounts\/default\/token|^\/v1\/token$/.test(request.url ?? '');
    response.writeHead(200, { 'metadata-flavor': 'Google', 'content-type': isKnown ? 'application/json' : 'text/plain' });
    request.resume().on('end', () => response.end(isKnown ? JSON.stringify(lent) : 'default'));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}
