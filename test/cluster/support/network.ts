// A network of the test run's own: test/run.ts --cluster enters it (test/support/own-network.ts). The API server refuses loopback
// addresses in EndpointSlices, so pods that are processes here need addresses of another kind.
export type OwnNetwork = {
  /** `10.250.0.(1 + index)`; up to 200 of them can be bound. 0 is the API server's. */
  address(index: number): string;
};

/** undefined outside such a network. */
export const ownNetwork: OwnNetwork | undefined = process.env.TOLLGATE_OWN_NETWORK
  ? { address: index => `10.250.0.${1 + index}` }
  : undefined;

/** false, or why a test that needs addresses of pods is skipped. */
export const withoutOwnNetwork: string | false = ownNetwork
  ? false
  : 'needs a network namespace (root, or user namespaces): npm run test:cluster';
