// The table of kinds: everything that is generated, read or checked per kind starts here.
import type * as z from 'zod';
import { providerSpec, providerStatus } from './provider.ts';
import { routeSpec, routeStatus } from './route.ts';
import { tenantKeySpec, tenantKeyStatus } from './tenant-key.ts';

export const API_GROUP = 'tollgate.dev';
export const API_VERSION_NAME = 'v1alpha1';
export const API_VERSION = `${API_GROUP}/${API_VERSION_NAME}`;

type PrinterColumn = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  /** 1: only in the wide listing. */
  readonly priority?: 1;
  readonly description?: string;
};

type KindDefinition = {
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly description: string;
  readonly columns: readonly PrinterColumn[];
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
};

const conditionStatus = (type: string): PrinterColumn => ({
  name: type,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
});
const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export const kinds = {
  LLMProvider: {
    plural: 'llmproviders',
    singular: 'llmprovider',
    shortName: 'llmp',
    description: 'An upstream that serves models: a hosted provider, or engines of your own.',
    columns: [
      { name: 'Type', type: 'string', jsonPath: '.spec.type' },
      conditionStatus('Ready'),
      { name: 'Endpoints', type: 'integer', jsonPath: '.status.endpoints.ready', description: 'Endpoints that are ready.' },
      { name: 'Models', type: 'string', jsonPath: '.spec.models[*].name' },
      age,
    ],
    spec: providerSpec,
    status: providerStatus,
  },
  LLMRoute: {
    plural: 'llmroutes',
    singular: 'llmroute',
    shortName: 'llmr',
    description: 'Which requests go to which backends, and what happens when one fails.',
    columns: [
      conditionStatus('Accepted'),
      conditionStatus('Programmed'),
      conditionStatus('Ready'),
      { name: 'Strategy', type: 'string', jsonPath: '.spec.strategy', priority: 1 },
      { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
      age,
    ],
    spec: routeSpec,
    status: routeStatus,
  },
  TenantKey: {
    plural: 'tenantkeys',
    singular: 'tenantkey',
    shortName: 'tkey',
    description: 'A key of a tenant: what it may use, how fast, and for how much money.',
    columns: [
      { name: 'Tenant', type: 'string', jsonPath: '.spec.tenant' },
      { name: 'Key', type: 'string', jsonPath: '.status.keyID', description: 'First 12 hex digits of the digest of the key.' },
      conditionStatus('Ready'),
      { name: 'Expires', type: 'string', jsonPath: '.spec.expiresAt' },
      age,
    ],
    spec: tenantKeySpec,
    status: tenantKeyStatus,
  },
} as const satisfies Record<string, KindDefinition>;

export type Kind = keyof typeof kinds;
export const KINDS = Object.keys(kinds) as readonly Kind[];
