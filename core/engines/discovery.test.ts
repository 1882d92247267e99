// From what a cluster says of Services and pods to the addresses of engines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EndpointSlice, enginesOfPods, enginesOfService } from './discovery.ts';

const service = {
  spec: {
    ports: [
      { name: 'metrics', port: 9000 },
      { name: 'http', port: 80 },
    ],
  },
};
const ports = [
  { name: 'metrics', port: 9090 },
  { name: 'http', port: 8000 },
];

test('a Service leads to the ready endpoints of all its slices, at the port that its own port means there', () => {
  const slices: EndpointSlice[] = [
    {
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: ['10.0.0.9'], conditions: { ready: true } }, { addresses: ['10.0.0.1'] }],
    },
    { addressType: 'IPv6', ports, endpoints: [{ addresses: ['fd00::1'], conditions: { ready: true } }] },
    { addressType: 'IPv4', ports, endpoints: [{ addresses: ['10.0.0.2'], conditions: { ready: false } }] },
  ];
  assert.deepEqual(enginesOfService(service, slices, 80), {
    endpoints: ['http://10.0.0.1:8000', 'http://10.0.0.9:8000', 'http://[fd00::1]:8000'],
    draining: [],
  });
  assert.deepEqual(enginesOfService(service, slices.toReversed(), 80), enginesOfService(service, slices, 80));
  assert.deepEqual(enginesOfService(service, slices, 81).endpoints, []);
});

test('a pod with an address of each family is one engine, at that of IPv4', () => {
  const of = (address: string, uid: string, ready = true) => ({
    addresses: [address],
    conditions: { ready },
    targetRef: { uid },
  });
  const slices: EndpointSlice[] = [
    { addressType: 'IPv6', ports, endpoints: [of('fd00::1', 'a'), of('fd00::2', 'b'), of('fd00::3', '')] },
    { addressType: 'IPv4', ports, endpoints: [of('10.0.0.1', 'a'), of('10.0.0.2', 'b', false), of('10.0.0.4', '')] },
  ];
  const endpoints = ['http://10.0.0.1:8000', 'http://10.0.0.4:8000', 'http://[fd00::2]:8000', 'http://[fd00::3]:8000'];
  assert.deepEqual(enginesOfService(service, slices, 80), { endpoints, draining: [] });
});

test('an endpoint that terminates and still serves is draining, one that serves no more is gone', () => {
  const endpoints = [
    { addresses: ['10.0.0.1'], conditions: { ready: false, serving: true, terminating: true } },
    { addresses: ['10.0.0.2'], conditions: { ready: false, serving: false, terminating: true } },
  ];
  const found = enginesOfService(service, [{ ports, endpoints }], 80);
  assert.deepEqual(found, { endpoints: ['http://10.0.0.1:8000'], draining: ['http://10.0.0.1:8000'] });
});

test('pods count when they are ready; one that is deleted is draining', () => {
  const pod = (podIP: string | undefined, ready: boolean, deletionTimestamp?: string) => ({
    metadata: { ...(deletionTimestamp && { deletionTimestamp }) },
    status: { ...(podIP && { podIP }), conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  });
  const pods = [
    pod('10.0.0.3', true),
    pod('10.0.0.2', false),
    pod(undefined, true),
    pod('10.0.0.1', true, '2026-11-21T00:00:00Z'),
  ];
  assert.deepEqual(enginesOfPods(pods, 8000), {
    endpoints: ['http://10.0.0.1:8000', 'http://10.0.0.3:8000'],
    draining: ['http://10.0.0.1:8000'],
  });
});
