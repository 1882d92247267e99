// Which addresses an upstream may have. Pure: asked once with what the resource says, and again by the data plane with what a
// name resolves to, because a name may point anywhere tomorrow (DNS rebinding).
import type { ProviderType } from '../snapshot/snapshot.ts';

export type UpstreamPolicy = {
  /** Without a cluster: http, loopback and private addresses are allowed for every type. */
  readonly standalone: boolean;
  /** ALLOW_HTTP_UPSTREAMS: http for hosted types. */
  readonly allowHttpUpstreams: boolean;
  /** ALLOW_UPSTREAM_CIDRS: allowed whatever else is said. */
  readonly allowUpstreamCidrs: readonly string[];
};

/** A policy as it applies to one provider. */
export type AddressRules = {
  readonly standalone: boolean;
  readonly allowUpstreamCidrs: readonly string[];
  /** The type is hosted: its addresses are public. */
  readonly hosted: boolean;
};

/** Types that people run themselves, on private networks. */
const SELF_HOSTED: readonly ProviderType[] = ['OpenAICompatible', 'VLLM'];

export const addressRules = (policy: UpstreamPolicy, type: ProviderType): AddressRules => ({
  standalone: policy.standalone,
  allowUpstreamCidrs: policy.allowUpstreamCidrs,
  hosted: !SELF_HOSTED.includes(type),
});

/** Never an upstream: metadata services, and what is no address of one host. */
const NEVER = [
  '169.254.0.0/16', // link-local; the metadata service of AWS, Azure and Google is 169.254.169.254
  'fe80::/10',
  'fd00:ec2::/32', // AWS metadata and time over IPv6
  '100.100.100.200/32', // Alibaba Cloud metadata
  '168.63.129.16/32', // Azure's platform address
  '224.0.0.0/4',
  '240.0.0.0/4',
  'ff00::/8',
];
/** The machine itself: in a cluster that is the gateway's own pod, its internal listener included. */
const LOCAL = ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'];
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', 'fec0::/10'];

/** True for what is no IP address too. */
export function isForbiddenAddress(ip: string, rules: AddressRules): boolean {
  const address = bitsOf(ip);
  if (address === undefined) return true;
  const isIn = (blocks: readonly string[]) => blocks.some(block => contains(block, address));
  if (isIn(rules.allowUpstreamCidrs)) return false;
  if (isIn(NEVER)) return true;
  if (rules.standalone) return false;
  return isIn(LOCAL) || (rules.hosted && isIn(PRIVATE));
}

/** What is wrong with a URL as an upstream, or undefined. A host name passes: it is judged after its resolution. */
export function urlComplaint(text: string, policy: UpstreamPolicy, type: ProviderType): string | undefined {
  const rules = addressRules(policy, type);
  const allowHttp = policy.standalone || policy.allowHttpUpstreams || !rules.hosted;
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return 'must be an http or https URL';
  if (url.protocol === 'http:' && !allowHttp) return 'must begin with https://';
  // URL has already turned octal, hexadecimal, decimal and shortened IPv4 forms into dotted ones.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const ip = isLocalName(host) ? '127.0.0.1' : host;
  if (bitsOf(ip) === undefined) return undefined;
  return isForbiddenAddress(ip, rules) ? `the address ${host} is not allowed (ALLOW_UPSTREAM_CIDRS lists exceptions)` : undefined;
}

/** The webhook of warnings follows the rules of hosted providers. The complaint never repeats the URL, which is a secret. */
export const webhookComplaint = (url: string, policy: UpstreamPolicy): string | undefined => urlComplaint(url, policy, 'OpenAI');

const isLocalName = (host: string) => /^(.+\.)?localhost\.?$/.test(host);

export const isCidr = (text: string): boolean => blockOf(text) !== undefined;

// ---------------------------------------------------------------- arithmetic: every address as 128 bits, IPv4 as v4-mapped

const V4_MAPPED = 0xffffn << 32n;

function contains(block: string, address: bigint): boolean {
  const parsed = blockOf(block);
  return parsed !== undefined && parsed.base >> parsed.free === address >> parsed.free;
}

function blockOf(block: string): { readonly base: bigint; readonly free: bigint } | undefined {
  const [text = '', prefix] = block.split('/', 2);
  const base = bitsOf(text);
  if (base === undefined) return undefined;
  const width = text.includes(':') ? 128 : 32;
  const length = prefix === undefined ? width : /^[0-9]{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  return length <= width ? { base, free: BigInt(width - length) } : undefined;
}

/** Undefined for what is no IP address. Forms that carry an IPv4 address inside (mapped, compatible, NAT64, 6to4) count as that one. */
function bitsOf(ip: string): bigint | undefined {
  const plain = ip.replace(/%.*$/, '');
  if (!plain.includes(':')) return v4Bits(plain);
  const bits = v6Bits(plain);
  return bits === undefined ? undefined : embeddedV4(bits);
}

function v4Bits(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every(part => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) | V4_MAPPED;
}

function v6Bits(text: string): bigint | undefined {
  const dotted = /^(.*:)([0-9.]+\.[0-9]+)$/.exec(text);
  if (dotted) {
    const v4 = v4Bits(dotted[2] ?? '');
    if (v4 === undefined) return undefined;
    const groups = `${((v4 >> 16n) & 0xffffn).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
    return v6Bits(`${dotted[1]}${groups}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map(half => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!groups.every(group => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

const LOW_32 = 0xffff_ffffn;

function embeddedV4(bits: bigint): bigint {
  const mapped = (v4: bigint) => (v4 & LOW_32) | V4_MAPPED;
  const isCompatible = bits >> 32n === 0n && bits > 1n; // ::a.b.c.d, but not :: and ::1
  const isNat64 = bits >> 32n === 0x64_ff9bn << 64n; // 64:ff9b::a.b.c.d
  if (isCompatible || isNat64) return mapped(bits);
  return bits >> 112n === 0x2002n ? mapped(bits >> 80n) : bits; // 2002:aabb:ccdd::
}
