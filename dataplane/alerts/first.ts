// Which process tells of an event: the first to claim it in Redis.

import { sha256 } from '#platform/digest.ts';
import type { RedisLink } from '#platform/redis.ts';
import type { AlertsOptions } from './alerts.ts';

/** The claim ends when the event would be news again. */
export const firstInRedis =
  (redis: RedisLink): NonNullable<AlertsOptions['isFirst']> =>
  async (key, quietFor) => {
    const claim = `tollgate:alert:${sha256(key)}`;
    return (await redis.call(client => client.set(claim, '1', 'PX', Math.ceil(quietFor), 'NX'))) === 'OK';
  };
