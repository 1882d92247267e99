// Many TenantKeys at once, and when each of them is known to be served. They are watched, not listed: a list of thousands is work for
// the API server, and asked again and again it would be what is measured.
import { sha256 } from '#platform/digest.ts';
import { within } from '#test/support/until.ts';
import { type OurObject, ourResources } from '../../../operator/resources.ts';
import type { ApiServer } from './api-server.ts';
import { kubeOf } from './kube.ts';
import type { TeamNamespace } from './team.ts';

/** How many clients apply at once. */
const HANDS = 20;

export type Crowd = {
  /** Makes them all. Resolves when the last is there. */
  apply(): Promise<void>;
  /** Resolves when each of them is Programmed. */
  programmed(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
};

export async function crowdOfKeys(server: ApiServer, team: TeamNamespace, size: number): Promise<Crowd> {
  const names = Array.from({ length: size }, (_, index) => `crowd-${index}`);
  const waiting = new Set(names);
  const all = Promise.withResolvers<void>();
  const kube = await kubeOf(await server.access());
  const reflector = kube.reflector<OurObject>(ourResources.TenantKey, { selection: { namespace: team.name } });
  reflector.onChange(({ object }) => {
    const isProgrammed = object.status?.conditions?.some(({ type, status }) => type === 'Programmed' && status === 'True');
    if (isProgrammed && waiting.delete(object.metadata.name) && waiting.size === 0) all.resolve();
  });
  reflector.start();
  await reflector.synced();
  return {
    async apply() {
      const left = names.values();
      const hand = async (): Promise<void> => {
        for (const name of left) await team.key(name, { tenant: 'crowd', digest: `sha256:${sha256(name)}` });
      };
      await Promise.all(Array.from({ length: HANDS }, hand));
    },
    programmed: deadlineMs => within(deadlineMs, `${size} keys are programmed`, all.promise),
    async close() {
      await reflector.stop();
      await kube.client.close();
    },
  };
}
