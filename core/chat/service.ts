// How an answer is served, where a provider sells that at prices of its own: with priority or when there is room, faster, in one region alone.

/** What can be chosen apart from the others. A request may choose in several of them. */
export type ServiceAspect = 'tier' | 'speed' | 'region' | 'latency';

/** A level of each, in small letters, as the provider calls it; one that is absent was not named. */
export type Service = Partial<Readonly<Record<ServiceAspect, string>>>;

/** A level that a request asks for. */
export type LevelAsked = {
  readonly aspect: ServiceAspect;
  readonly level: string;
  /** Where it stands in the body. */
  readonly param: string;
};

export type ServiceAsked = readonly LevelAsked[];

/** What the request leaves to the provider: at OpenAI to the settings of its project, as does one that names no tier. */
export const AUTO = 'auto';

/** How providers call the service that everybody has who asks for nothing. */
const STANDARD: ReadonlySet<string> = new Set([
  'standard',
  'default',
  'on_demand',
  'standard_only',
  'unspecified',
  'global',
  'not_available',
]);

/** What costs no more than the standard: less, or nothing by the token, as it was paid for beforehand. */
const NO_DEARER: ReadonlySet<string> = new Set(['flex', 'batch', 'scale', 'reserved', 'offpeak', AUTO]);

export const isStandard = (level: string): boolean => STANDARD.has(level);

/** Without a price of its own it costs, for all that is known, more than the standard. */
export const mayBeDearer = (level: string): boolean => !STANDARD.has(level) && !NO_DEARER.has(level);

/** The level in a field of a request or of an answer; undefined: none. Google's enumerations begin with what they are of. */
export function levelOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length === 0) return undefined;
  return value
    .slice(0, MAX_LEVEL)
    .toLowerCase()
    .replace(/^service_tier_/, '');
}
const MAX_LEVEL = 64;

/** What was asked for, in the fields of a body. */
export function askedIn(fields: readonly (readonly [ServiceAspect, param: string, value: unknown])[]): ServiceAsked | undefined {
  const asked = fields.flatMap(([aspect, param, value]) => {
    const level = levelOf(value);
    return level === undefined ? [] : [{ aspect, level, param }];
  });
  return asked.length > 0 ? asked : undefined;
}

/** The field of a usage for what an answer says of how it was served; nothing where it does not say. */
export function serviceTold(told: Partial<Readonly<Record<ServiceAspect, unknown>>>): { readonly service?: Service } {
  const levels = Object.entries(told).flatMap(([aspect, value]) => {
    const level = levelOf(value);
    return level === undefined ? [] : [[aspect, level] as const];
  });
  return levels.length > 0 ? { service: Object.fromEntries(levels) } : {};
}

/** How it was served: as the answer says, and as was asked where it does not say. */
export const servedAs = (asked: ServiceAsked, told: Service | undefined): Service => ({
  ...Object.fromEntries(asked.map(({ aspect, level }) => [aspect, level])),
  ...told,
});
