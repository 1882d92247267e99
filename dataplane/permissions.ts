// What a data-plane pod asks of the API server: to read what was published for it, object by object.
import { CONFIG_OBJECTS, CREDENTIALS_OBJECT, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import type { Permission } from '#platform/kube/permission.ts';
import { configMaps, secrets } from './config/cluster-stores.ts';

export const dataPlanePermissions: readonly Permission[] = [
  { resource: configMaps, verbs: ['get'], within: 'own', names: CONFIG_OBJECTS, why: 'the configuration' },
  { resource: configMaps, verbs: ['watch'], within: 'own', names: [POINTER_OBJECT], why: 'changes of the configuration' },
  { resource: secrets, verbs: ['get', 'watch'], within: 'own', names: [CREDENTIALS_OBJECT], why: 'credentials of providers' },
];
