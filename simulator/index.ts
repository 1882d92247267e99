// A provider without a provider: a server that speaks the wires of OpenAI, Azure, Anthropic and vLLM and answers from the prompt alone.
// It shares no code with the gateway, so that a mistake in a codec of the gateway cannot hide behind the same mistake here.
import type { AddressInfo } from 'node:net';
import type { FaultRule } from './control.ts';
import type { Bill, RecordedRequest } from './record.ts';
import { type Settings, simulatorServer } from './server.ts';

export type { FaultRule } from './control.ts';
export type { Bill, RecordedRequest } from './record.ts';
export type { Settings } from './server.ts';

export type SimulatorOptions = {
  readonly host?: string;
  /** 0: any free one. */
  readonly port?: number;
  readonly settings?: Partial<Settings>;
  /** The accepted credentials; absent: any that is not empty. */
  readonly keys?: readonly string[];
  /** `vllm`: the whole listener is one vLLM server; else that wire is under `/vllm/`. */
  readonly wire?: 'all' | 'vllm';
  /** One line a request; never its content. */
  readonly log?: (line: string) => void;
};

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

export const defaultSettings: Settings = { latency: 0, tokensPerSecond: 0, jitter: 0, tokensPerFrame: 3 };

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, wire = 'all', log = () => undefined } = options;
  const { http, requests, bills, control } = simulatorServer({
    settings: { ...defaultSettings, ...options.settings },
    keys: options.keys,
    wire,
    log,
  });
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
