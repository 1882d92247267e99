// The door to compile.
export { type AddressRules, isCidr, isForbiddenAddress, type UpstreamPolicy } from './address.ts';
export { type Compiled, type CompileInput, compile, emptyCatalogue } from './compile.ts';
export type { Environment, SourceObject } from './objects.ts';
export type { Catalogue, CatalogueModel, PriceFile } from './prices.ts';
export type { Condition, Problem, Source, Verdict } from './verdict.ts';
