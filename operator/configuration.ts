// From the objects of the cluster to configuration: gathered, compiled, and, by the leader, published. Every replica compiles, so that one
// that takes over knows what there is.
import {
  type Catalogue,
  type Compiled,
  compile,
  emptyCatalogue,
  needsCatalogue,
  type PriceFile,
  type UpstreamPolicy,
  type Verdict,
} from '#core/compile/index.ts';
import { KINDS } from '#core/resources/index.ts';
import type { EpochMillis } from '#core/units.ts';
import type { Clock } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import type { KubeObject } from '#platform/kube/resource.ts';
import { gather, type World } from './gather/world.ts';
import type { Publication, Publisher } from './publish/publisher.ts';

export type ConfigurationOptions = {
  readonly world: World;
  readonly policy: UpstreamPolicy;
  /** Asked for at most once, and only when a model needs it: it is large. */
  readonly catalogue: () => Promise<Catalogue>;
  readonly priceFile?: PriceFile;
  readonly clock: Clock;
};

/** One object of ours, as it was when it was last compiled. */
export type Standing = {
  readonly verdict: Verdict;
  /** Of what was compiled. An object that is made anew under its name begins with the same generation again. */
  readonly uid: string | undefined;
  readonly generation: number;
  /** The generation of the configuration that first had it as it is now; undefined: it is not published, or not by this process. */
  readonly publishedIn: number | undefined;
  /** Monotonic: since when it waits to be served. */
  readonly since: number;
  readonly isTooLarge: boolean;
};

/** `kind namespace/name` */
export type ObjectKey = string;

export class Configuration {
  readonly #options: ConfigurationOptions;
  #catalogue: Promise<Catalogue> | undefined;
  #updating: Promise<unknown> = Promise.resolve();
  #texts: ReadonlyMap<ObjectKey, string> = new Map();
  standings: ReadonlyMap<ObjectKey, Standing> = new Map();
  compiled: Compiled | undefined;
  generation = 0;
  /** Of the objects around that were looked at. */
  nextChangeAt: EpochMillis | undefined;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  /**
   * @param publisher of a leader; undefined: it is compiled only
   * @returns the objects that stand otherwise than before
   */
  update(publisher: Publisher | undefined): Promise<readonly ObjectKey[]> {
    // One after the other: what was compiled without publishing, on the eve of a term, must not replace what the leader published.
    const updated = this.#updating.then(() => this.#update(publisher));
    this.#updating = updated.catch(() => {});
    return updated;
  }

  async #update(publisher: Publisher | undefined): Promise<readonly ObjectKey[]> {
    const { world, policy, priceFile, clock } = this.#options;
    const now = clock.now() as EpochMillis;
    const gathered = await gather(world, now, sha256);
    const { objects, nextChangeAt, engines, rotatedOut } = gathered;
    const catalogue = needsCatalogue(objects) ? await this.#loaded() : emptyCatalogue;
    const versions = new Map(objects.flatMap(({ value }) => versionOf(value)));
    const compiled = compile({
      objects,
      policy,
      environment: {},
      catalogue,
      ...(priceFile && { priceFile }),
      digest: sha256,
      now,
      generated: new Map(),
      ...(rotatedOut && { rotatedOut }),
      ...(engines && { engines }),
    });
    this.compiled = compiled;
    this.nextChangeAt = nextChangeAt;
    const publication = await publisher?.publish(compiled.snapshot, compiled.credentials);
    return this.#stand(compiled, versions, publication);
  }

  #loaded(): Promise<Catalogue> {
    this.#catalogue ??= this.#options.catalogue();
    return this.#catalogue;
  }

  #stand(
    { verdicts }: Compiled,
    versions: ReadonlyMap<ObjectKey, Version>,
    publication: Publication | undefined,
  ): readonly ObjectKey[] {
    const tooLarge = new Set(publication?.tooLarge.map(({ kind, id }) => `${kind} ${id}`));
    const texts = publication?.entries ?? new Map<ObjectKey, string>();
    const standings = new Map<ObjectKey, Standing>();
    const changed: ObjectKey[] = [];
    for (const verdict of verdicts) {
      const key = `${verdict.kind} ${verdict.namespace}/${verdict.name}`;
      const version = versions.get(key);
      if (version === undefined) continue;
      const before = this.standings.get(key);
      const isSame = before !== undefined && isOf(before, version) && this.#texts.get(key) === texts.get(key);
      const standing: Standing = {
        verdict,
        ...version,
        publishedIn: isSame && before.publishedIn !== undefined ? before.publishedIn : publication?.generation,
        since: isSame ? before.since : this.#options.clock.monotonic(),
        isTooLarge: tooLarge.has(key),
      };
      standings.set(key, standing);
      if (!before || !isSame || isOther(before, standing)) changed.push(key);
    }
    this.#texts = texts;
    this.standings = standings;
    if (publication) this.generation = publication.generation;
    return changed;
  }

  /** What was published is somebody else's business now. */
  endTerm(): void {
    this.#texts = new Map();
    this.standings = new Map([...this.standings].map(([key, standing]) => [key, { ...standing, publishedIn: undefined }]));
  }
}

const isOther = (a: Standing, b: Standing): boolean =>
  a.publishedIn !== b.publishedIn ||
  a.isTooLarge !== b.isTooLarge ||
  a.verdict.live !== b.verdict.live ||
  JSON.stringify(a.verdict.conditions) !== JSON.stringify(b.verdict.conditions);

type Version = Pick<Standing, 'uid' | 'generation'>;

/** Whether what stands is this very version of this very object. */
export const isOf = (
  standing: Version,
  { uid, generation }: { readonly uid?: string | undefined; readonly generation?: number },
) => standing.uid === uid && standing.generation === generation;

function versionOf(value: unknown): [ObjectKey, Version][] {
  const { kind, metadata } = value as KubeObject;
  const hasStatus = (KINDS as readonly (string | undefined)[]).includes(kind);
  const { namespace, name, uid, generation } = metadata;
  return !hasStatus || generation === undefined ? [] : [[`${kind} ${namespace}/${name}`, { uid, generation }]];
}
