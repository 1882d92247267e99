// A simulator's server brought up on an address, as the handle that tests and the command line hold.
import type { AddressInfo } from 'node:net';
import type { FaultRule } from './control.ts';
import type { Bill, RecordedRequest } from './record.ts';
import type { SimulatorServer } from './server.ts';

export type Simulator = {
  readonly port: number;
  readonly origin: string;
  /** Ends the listener and every connection it has. */
  readonly close: () => Promise<void>;
  /** What arrived, oldest first, at most 1,000. */
  readonly requests: () => readonly RecordedRequest[];
  readonly bill: () => Readonly<Record<string, Bill>>;
  /** Throws on a fault that does not exist: that is a mistake in the test. */
  readonly addFault: (rule: FaultRule) => void;
  /** Forgets requests, bill and faults. */
  readonly reset: () => void;
};

export async function listening(
  { http, requests, bills, control, endSessions }: SimulatorServer,
  { host = '127.0.0.1', port = 0 }: { readonly host?: string; readonly port?: number },
): Promise<Simulator> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, resolve);
  });
  const bound = (http.address() as AddressInfo).port;
  return {
    port: bound,
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise(resolve => {
        http.close(() => resolve());
        http.closeAllConnections();
        endSessions();
      }),
    requests: () => requests.list(),
    bill: () => bills.all(),
    addFault: rule => {
      if (!control.add(rule)) throw new Error(`the simulator cannot take the fault '${rule.fault}'`);
    },
    reset: () => {
      requests.clear();
      bills.clear();
      control.clear();
    },
  };
}
