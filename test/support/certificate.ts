// Certificates for TLS servers of tests, made here so that no key is in the repository: self-signed, ECDSA on P-256, valid for a day
// around now (RFC 5280, DER by hand).
import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';

export type Certificate = { readonly key: string; readonly cert: string };

const OID = { commonName: '550403', subjectAltName: '551d11', ecdsaWithSha256: '2a8648ce3d040302' } as const;
const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, time: 0x17, sequence: 0x30, set: 0x31 } as const;
const DAY_MS = 86_400_000;

/** @param hosts DNS names, or IPv4 addresses such as `127.0.0.1`; the first is also the subject */
export function selfSigned(...hosts: readonly [string, ...string[]]): Certificate {
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const name = sequence(der(TAG.set, sequence(oid(OID.commonName), der(TAG.utf8, Buffer.from(hosts[0])))));
  const names = der(TAG.octets, sequence(...hosts.map(alternativeName)));
  const body = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.from([1])),
    algorithm,
    name,
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    name,
    pair.publicKey,
    der(0xa3, sequence(sequence(oid(OID.subjectAltName), names))),
  );
  const signature = sign('sha256', body, createPrivateKey(pair.privateKey));
  const certificate = sequence(body, algorithm, der(TAG.bits, Buffer.from([0]), signature));
  return { key: pair.privateKey, cert: new X509Certificate(certificate).toString() };
}

/** GeneralName: [2] a DNS name, [7] an address. */
const alternativeName = (host: string): Buffer =>
  /^[\d.]+$/.test(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));

/** UTCTime: YYMMDDhhmmssZ. */
const time = (at: number): Buffer =>
  der(
    TAG.time,
    Buffer.from(
      `${new Date(at)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  );
const oid = (hex: string): Buffer => der(TAG.oid, Buffer.from(hex, 'hex'));
const sequence = (...parts: readonly Buffer[]): Buffer => der(TAG.sequence, ...parts);

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
