// A provider without a provider: a server that speaks the wires of OpenAI, Azure, Anthropic, Bedrock and vLLM and answers from the prompt alone.
// It shares no code with the gateway, so that a mistake in a codec of the gateway cannot hide behind the same mistake here.
import { listening, type Simulator } from './listening.ts';
import { type Settings, simulatorServer } from './server.ts';

export type { FaultRule } from './control.ts';
export {
  defaultEngineSettings,
  type EngineChange,
  type EngineNames,
  type EngineOptions,
  engineNames,
  type SimulatedEngine,
  startEngine,
} from './engine/index.ts';
export type { Simulator } from './listening.ts';
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
  /** What vLLM's list of models has: a gateway sends an engine no other. Any model is answered. Default: `tiny`. */
  readonly models?: readonly string[];
  /** One line a request; never its content. */
  readonly log?: (line: string) => void;
};

export const defaultSettings: Settings = { latency: 0, tokensPerSecond: 0, jitter: 0, tokensPerFrame: 3 };

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { wire = 'all', log = () => undefined } = options;
  const server = simulatorServer({
    settings: { ...defaultSettings, ...options.settings },
    keys: options.keys,
    wire,
    models: options.models ?? ['tiny'],
    log,
  });
  return listening(server, options);
}
