// What stands around a spec: the envelope that every manifest has, and the two built-in kinds that compile looks at.
import * as z from 'zod';
import { label, objectName } from './common.ts';

// Written by the API server, and so present in what `kubectl get -o yaml` gives.
const serverFields = {
  uid: z.unknown().optional(),
  generateName: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  selfLink: z.unknown().optional(),
  deletionTimestamp: z.unknown().optional(),
  deletionGracePeriodSeconds: z.unknown().optional(),
  ownerReferences: z.unknown().optional(),
  finalizers: z.unknown().optional(),
};

const stringValues = z.record(z.string(), z.string());

const metadata = z.strictObject({
  name: objectName('Name.'),
  namespace: label('Namespace.').default('default'),
  labels: stringValues.default({}),
  annotations: stringValues.default({}),
  creationTimestamp: z.string().nullish(),
  generation: z.int().optional(),
  ...serverFields,
});

const envelope = { apiVersion: z.string(), kind: z.string(), metadata, status: z.unknown().optional() };

/** A manifest of one of our kinds; the spec is read by the kind's own schema. */
export const resource = z.strictObject({ ...envelope, spec: z.unknown() });

export const secret = z.strictObject({
  ...envelope,
  type: z.string().optional(),
  immutable: z.boolean().optional(),
  data: stringValues.nullish(),
  stringData: stringValues.nullish(),
});

/** Namespaces are read for their labels only. */
export const namespace = z.looseObject({ metadata: z.looseObject({ name: label('Name.'), labels: stringValues.default({}) }) });

/** As the Gateway API has it. */
const MAX_GRANTED = 16;
const granted = { group: z.string().max(253), kind: z.string().max(63) };

/** Of the Gateway API: who may name what in its namespace. */
export const referenceGrant = z.looseObject({
  metadata: z.looseObject({ name: label('Name.'), namespace: label('Where the named objects are.').default('default') }),
  spec: z.looseObject({
    from: z.array(z.looseObject({ ...granted, namespace: label('Whose objects may name them.') })).max(MAX_GRANTED),
    to: z.array(z.looseObject({ ...granted, name: z.string().max(253).optional() })).max(MAX_GRANTED),
  }),
});
