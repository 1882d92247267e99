// Checks signatures of AWS (Signature Version 4) as the service does: everything that is signed is computed anew from what arrived.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type SignedRequest = {
  readonly method: string;
  /** Path and query as they arrived. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

export type AccessKey = { readonly id: string; readonly secret: string; readonly session?: string | undefined };

/** The keys of AWS's documentation: what opens a simulator that was given none. */
export const EXAMPLE_KEY: AccessKey = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

export type Denial = { readonly type: string; readonly message: string };

const SKEW_MS = 5 * 60 * 1000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** @returns undefined where the signature is right */
export function signatureDenial(request: SignedRequest, keys: readonly AccessKey[], now: number): Denial | undefined {
  const read = AUTHORIZATION.exec(header(request, 'authorization'));
  if (!read) return denial('IncompleteSignatureException', 'Authorization header requires existence of a signature.');
  const [, id, day, region, service, signedList, signature] = read as unknown as string[];
  const key = keys.find(candidate => candidate.id === id);
  const session = header(request, 'x-amz-security-token') || undefined;
  if (!key || key.session !== session)
    return denial('UnrecognizedClientException', 'The security token included in the request is invalid.');
  const signed = signedList!.split(';');
  const date = header(request, 'x-amz-date');
  if (!signed.includes('host') || !date.startsWith(day!) || (session && !signed.includes('x-amz-security-token')))
    return denial('InvalidSignatureException', 'The signed headers do not cover what has to be signed.');
  const late = lateness(date, now);
  if (late) return denial('InvalidSignatureException', late);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, digest(canonical(request, signed))].join('\n');
  const signingKey = [day!, region!, service!, 'aws4_request'].reduce<Buffer | string>(hmac, `AWS4${key.secret}`);
  const right = hmac(signingKey, toSign);
  if (timingSafeEqual(right, Buffer.from(signature!, 'hex')) && service === 'bedrock') return undefined;
  return denial(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}

const denial = (type: string, message: string): Denial => ({ type, message });

function lateness(date: string, now: number): string | undefined {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  const at = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  if (Number.isNaN(at)) return 'Date must be in ISO-8601 basic format.';
  const stamp = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
  if (at < now - SKEW_MS)
    return `Signature expired: ${date} is now earlier than ${stamp(now - SKEW_MS)} (${stamp(now)} - 5 min.)`;
  if (at > now + SKEW_MS)
    return `Signature not yet current: ${date} is still later than ${stamp(now + SKEW_MS)} (${stamp(now)} + 5 min.)`;
  return undefined;
}

/** The path is encoded once more than it arrived, as for every service but S3. */
function canonical(request: SignedRequest, signed: readonly string[]): string {
  const [path = '', query = ''] = request.url.split('?', 2);
  const segments = path.split('/').map(segment => encodeURIComponent(segment).replace(/[!'()*]/g, percent));
  const headers = signed.map(name => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}\n`);
  return [
    request.method,
    segments.join('/'),
    query.split('&').sort().join('&'),
    headers.join(''),
    signed.join(';'),
    digest(request.body),
  ].join('\n');
}

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const header = ({ headers }: SignedRequest, name: string): string => [headers[name] ?? ''].flat().join(',');
