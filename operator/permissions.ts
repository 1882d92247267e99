// What the operator asks of the API server, request by request. A request that is not here is refused in a cluster.
import { KINDS } from '#core/resources/index.ts';
import { CONFIG_OBJECTS, CREDENTIALS_OBJECT } from '#core/snapshot/layout.ts';
import type { Permission } from '#platform/kube/permission.ts';
import {
  configMaps,
  endpointSlices,
  LEASE_NAME,
  namespaces,
  ourResources,
  pods,
  referenceGrants,
  secrets,
  services,
} from './resources.ts';
import { events } from './runtime/events.ts';
import { leases } from './runtime/lease.ts';

export const operatorPermissions: readonly Permission[] = [
  ...KINDS.map(kind => {
    const resource = ourResources[kind];
    return { resource, verbs: ['list', 'watch'], within: 'watched', why: 'what is configured' } as const;
  }),
  ...KINDS.map(kind => {
    const resource = ourResources[kind];
    return { resource, subresource: 'status', verbs: ['patch'], within: 'watched', why: 'what became of it' } as const;
  }),
  {
    resource: ourResources.TenantKey,
    verbs: ['get', 'create', 'update', 'delete'],
    within: 'watched',
    why: 'keys that are administered over HTTP',
  },
  {
    resource: secrets,
    verbs: ['get', 'watch'],
    within: 'watched',
    why: 'credentials and keys that objects name, each by its name; no list',
  },
  { resource: secrets, verbs: ['create', 'update'], within: 'watched', why: 'keys that are made for `generate`' },
  { resource: services, verbs: ['list', 'watch'], within: 'watched', why: 'serviceRef' },
  { resource: endpointSlices, verbs: ['list', 'watch'], within: 'watched', why: 'the engines behind serviceRef' },
  { resource: endpointSlices, verbs: ['list', 'watch'], within: 'own', why: 'the data-plane pods' },
  { resource: pods, verbs: ['list', 'watch'], within: 'watched', why: 'podSelector' },
  { resource: namespaces, verbs: ['list', 'watch'], within: 'cluster', why: 'namespaces that are selected by their labels' },
  {
    resource: referenceGrants[0]!,
    verbs: ['list', 'watch'],
    within: 'watched',
    why: 'providers that are lent to other namespaces',
  },
  { resource: events, verbs: ['create', 'patch'], within: 'watched', why: 'what happened to an object, for people' },
  { resource: configMaps, verbs: ['create'], within: 'own', why: 'what is published' },
  { resource: configMaps, verbs: ['get', 'patch'], within: 'own', names: CONFIG_OBJECTS, why: 'what is published' },
  { resource: secrets, verbs: ['create'], within: 'own', why: 'credentials for the data plane' },
  {
    resource: secrets,
    verbs: ['get', 'patch'],
    within: 'own',
    names: [CREDENTIALS_OBJECT],
    why: 'credentials for the data plane',
  },
  { resource: leases, verbs: ['create'], within: 'own', why: 'who leads' },
  { resource: leases, verbs: ['get', 'update'], within: 'own', names: [LEASE_NAME], why: 'who leads' },
];
