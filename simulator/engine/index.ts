// A simulated self-hosted engine: the simulator's vLLM wire with a model of batching, queueing and KV blocks behind it, its metrics, and
// every state a probe has to tell apart, on demand.
import { listening, type Simulator } from '../listening.ts';
import { simulatorServer } from '../server.ts';
import type { BatchingSettings } from './batching.ts';
import { changed, type EngineChange, engineControl, type Occupation } from './control.ts';
import { EngineHost, type HostSettings } from './host.ts';
import type { ReplicaReading, ReplicaState } from './replica.ts';

export type { EngineChange, Occupation } from './control.ts';
export { type EngineNames, engineNames } from './metric-names.ts';

export type EngineOptions = {
  readonly host?: string;
  /** 0: any free one. */
  readonly port?: number;
  readonly settings?: Partial<Omit<HostSettings, 'cost'>> & { readonly cost?: Partial<BatchingSettings['cost']> };
  /** One line a request; never its content. */
  readonly log?: (line: string) => void;
};

export type SimulatedEngine = Simulator & {
  readonly state: () => ReplicaState;
  readonly reading: () => ReplicaReading;
  /** What `/metrics` says. */
  readonly metrics: () => string;
  /** Throws when it cannot be done: that is a mistake in the test. */
  readonly change: (change: EngineChange) => void;
  /** Work that no client asked for; returns how many sequences were taken in. */
  readonly occupy: (work: Occupation) => number;
};

/** A GPU of the middle class: 20,000 prompt tokens a second, and 50 answers a second and sequence, fewer in a full batch. */
export const defaultEngineSettings: HostSettings = {
  model: 'tiny',
  adapters: [],
  names: 'vLLM',
  maxNumSeqs: 16,
  maxNumBatchedTokens: 2048,
  maxNumQueuedReqs: 0,
  blockSize: 16,
  numGpuBlocks: 16_384,
  maxModelLen: 131_072,
  maxLoras: 1,
  dataParallelSize: 1,
  cost: { step: 16, perSequence: 0.25, perPrefillToken: 0.05, jitter: 0 },
  speed: 1,
  startup: 0,
  seed: 1,
};

export async function startEngine(options: EngineOptions = {}): Promise<SimulatedEngine> {
  const settings = {
    ...defaultEngineSettings,
    ...options.settings,
    cost: { ...defaultEngineSettings.cost, ...options.settings?.cost },
  };
  const engine = new EngineHost(settings);
  const server = simulatorServer({
    // The engine sets the pace, and sends each token by itself.
    settings: { latency: 0, tokensPerSecond: 0, jitter: 0, tokensPerFrame: 1 },
    keys: undefined,
    wire: 'vllm',
    // The engine has its own list.
    models: [],
    log: options.log ?? (() => undefined),
    engine,
    moreControl: engineControl(engine),
  });
  const simulator = await listening(server, options);
  return {
    ...simulator,
    close: () => {
      engine.close();
      return simulator.close();
    },
    state: () => engine.replica.state,
    reading: () => engine.replica.reading(Date.now()),
    metrics: () => engine.metrics(),
    change: change => {
      const problem = changed(engine, change);
      if (problem) throw new Error(`the engine cannot do that: ${problem}`);
    },
    occupy: ({ count, promptTokens, outputTokens }) => engine.occupy(count, promptTokens, outputTokens),
  };
}
