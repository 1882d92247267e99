// Keys by the name that the ledger knows them by, for reports that show them as LiteLLM does: by the hash of their secret.
import { type Call, ownFilter } from './call.ts';
import { noteOf, teamOf } from './key-fields.ts';
import { tokenOf } from './key-shape.ts';

export type NamedKey = {
  /** Of a key that is gone, its name: the hash went with it. */
  readonly token: string;
  readonly id: string;
  readonly alias: string | null;
  readonly keyName: string | null;
  readonly team: string | null;
  readonly user: string | null;
};

export type KeyNames = ReadonlyMap<string, NamedKey>;

/** Those that the caller may see. */
export function keyNames({ ports, config, caller }: Call): KeyNames {
  const { keyName: own } = ownFilter(caller);
  const tokens = new Map(config.snapshot.keys.map(entry => [`${entry.namespace}/${entry.name}`, entry.digests[0]]));
  const visible = ports.keys.list().filter(key => own === undefined || key.id === own);
  return new Map(
    visible.map(key => [
      key.id,
      {
        token: tokens.get(key.id) ?? tokenOf(config, key) ?? key.id,
        id: key.id,
        alias: key.spec.alias ?? null,
        keyName: noteOf(key).keyName ?? null,
        team: teamOf(key.spec),
        user: key.spec.tags.user ?? null,
      },
    ]),
  );
}

export function keyNamed(names: KeyNames, id: string | null | undefined): NamedKey {
  const name = id ?? '';
  return names.get(name) ?? { token: name, id: name, alias: null, keyName: null, team: null, user: null };
}
