// The parts of undici that are used here. Its main module loads all of it: fetch, WebSockets, caches, mocks, some 6 MiB. Where these files are
// is undici's own business: package.json has one exact version, and the test beside this file fails where another has them elsewhere.
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);
export const Pool = load('undici/lib/dispatcher/pool.js') as typeof import('undici').Pool;
export type Pool = InstanceType<typeof Pool>;
export const buildConnector = load('undici/lib/core/connect.js') as typeof import('undici').buildConnector;
export const errors = load('undici/lib/core/errors.js') as typeof import('undici').errors;
