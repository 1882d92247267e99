// The door to compile.
export { type AddressRules, addressRules, isCidr, isForbiddenAddress, type UpstreamPolicy, webhookComplaint } from './address.ts';
export { type Compiled, type CompileInput, compile, emptyCatalogue } from './compile.ts';
export type { FoundEngines, RotatedOut } from './context.ts';
export { GRANT_GROUP, GRANT_KIND, GRANT_VERSIONS } from './grants.ts';
export type { SourceObject } from './objects.ts';
export type { Catalogue, CatalogueModel, PriceFile } from './prices.ts';
export type { Environment } from './secrets.ts';
export type { Condition, Problem, Source, Verdict } from './verdict.ts';
export { type KeyRequest, keysToGenerate, needsCatalogue } from './wants.ts';
