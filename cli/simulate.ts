// `tollgate simulate`: the bundled simulator as a server of its own.
import { parseArgs } from 'node:util';
import {
  defaultEngineSettings,
  type EngineNames,
  engineNames,
  type Simulator,
  startEngine,
  startSimulator,
} from '#simulator/index.ts';

export type SimulateIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when the process is asked to stop. */
  readonly stopped: Promise<unknown>;
};

const help = `Usage: tollgate simulate [options]

A local server that speaks the wires of OpenAI, Azure OpenAI, Anthropic, Bedrock and vLLM and answers from the prompt alone: no key, no network,
the same answer each time. Faults on demand: docs/simulator.md.

  --port <number>               where to listen (4010; 0: any free port)
  --host <address>              on which address (127.0.0.1)
  --latency <ms>                time to the first token (0)
  --tokens-per-second <number>  how fast tokens come after it (0: as fast as they are read)
  --jitter <0..1>               how far these may be off (0)
  --vllm                        be a vLLM server altogether; else that wire is under /vllm/
  --engine                      be one replica of a self-hosted engine, with batches, a queue, a KV cache and /metrics
  --quiet                       no line per request
  --help                        this text

With --engine, named as vLLM's options where it has them:
  --model <name>                what it serves (tiny)
  --names <engine>              whose metric names: ${Object.keys(engineNames).join(', ')} (vLLM)
  --max-num-seqs <n>            sequences in one batch (${defaultEngineSettings.maxNumSeqs})
  --max-num-batched-tokens <n>  tokens in one step (${defaultEngineSettings.maxNumBatchedTokens})
  --max-num-queued-reqs <n>     requests that may wait; 0: any number (0)
  --max-model-len <n>           tokens of a sequence (${defaultEngineSettings.maxModelLen})
  --block-size <n>              tokens in a block of the KV cache (${defaultEngineSettings.blockSize})
  --num-gpu-blocks <n>          blocks of the KV cache (${defaultEngineSettings.numGpuBlocks})
  --data-parallel-size <n>      engines behind the address (1)
  --startup <ms>                how long it loads at first (0)
  --speed <factor>              how many times faster than by default (1)
  --seed <n>                    of the jitter (1)
`;

const flags = {
  port: { type: 'string', default: '4010' },
  host: { type: 'string', default: '127.0.0.1' },
  latency: { type: 'string', default: '0' },
  'tokens-per-second': { type: 'string', default: '0' },
  jitter: { type: 'string', default: '0' },
  vllm: { type: 'boolean', default: false },
  engine: { type: 'boolean', default: false },
  model: { type: 'string', default: defaultEngineSettings.model },
  names: { type: 'string', default: defaultEngineSettings.names },
  'max-num-seqs': { type: 'string', default: String(defaultEngineSettings.maxNumSeqs) },
  'max-num-batched-tokens': { type: 'string', default: String(defaultEngineSettings.maxNumBatchedTokens) },
  'max-num-queued-reqs': { type: 'string', default: String(defaultEngineSettings.maxNumQueuedReqs) },
  'max-model-len': { type: 'string', default: String(defaultEngineSettings.maxModelLen) },
  'block-size': { type: 'string', default: String(defaultEngineSettings.blockSize) },
  'num-gpu-blocks': { type: 'string', default: String(defaultEngineSettings.numGpuBlocks) },
  'data-parallel-size': { type: 'string', default: String(defaultEngineSettings.dataParallelSize) },
  startup: { type: 'string', default: String(defaultEngineSettings.startup) },
  speed: { type: 'string', default: String(defaultEngineSettings.speed) },
  seed: { type: 'string', default: String(defaultEngineSettings.seed) },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** The exit code: 0 after a stop, 1 when it cannot listen, 2 for arguments it does not understand. */
export async function simulate(args: string[], io: SimulateIo): Promise<number> {
  const parsed = parsedFlags(args);
  if (typeof parsed === 'string') {
    io.err(`${parsed}\n\n${help}`);
    return 2;
  }
  if (parsed.help) {
    io.out(help);
    return 0;
  }
  const started = await start(parsed, io);
  if (typeof started === 'string') {
    io.err(`${started}\n`);
    return 1;
  }
  io.out(welcome(started, parsed));
  await io.stopped;
  await started.close();
  return 0;
}

type Flags = Omit<ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'], never> & {
  readonly numbers: Record<string, number>;
};

const ranges: Record<string, readonly [min: number, max: number]> = {
  port: [0, 65_535],
  latency: [0, 3_600_000],
  'tokens-per-second': [0, 1_000_000],
  jitter: [0, 1],
  'max-num-seqs': [1, 10_000],
  'max-num-batched-tokens': [1, 1_000_000],
  'max-num-queued-reqs': [0, 1_000_000],
  'max-model-len': [1, 131_072],
  'block-size': [1, 1024],
  'num-gpu-blocks': [1, 1_000_000],
  'data-parallel-size': [1, 64],
  startup: [0, 3_600_000],
  speed: [0.001, 1000],
  seed: [0, 4_294_967_295],
};

function parsedFlags(args: string[]): Flags | string {
  try {
    const { values } = parseArgs({ args, options: flags });
    const numbers: Record<string, number> = {};
    for (const [name, [min, max]] of Object.entries(ranges)) {
      const text = values[name as 'port'];
      const value = text.trim() === '' ? Number.NaN : Number(text);
      if (!(value >= min && value <= max)) return `--${name} takes a number from ${min} to ${max}, not '${text}'.`;
      numbers[name] = value;
    }
    if (!Object.hasOwn(engineNames, values.names))
      return `--names takes ${Object.keys(engineNames).join(', ')}, not '${values.names}'.`;
    return { ...values, numbers };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function start(asked: Flags, io: SimulateIo): Promise<Simulator | string> {
  const { host, numbers, vllm, quiet } = asked;
  const address = { host, port: numbers.port!, ...(!quiet && { log: (line: string) => io.out(`${line}\n`) }) };
  try {
    if (asked.engine) return await startEngine({ ...address, settings: engineSettings(asked) });
    return await startSimulator({
      ...address,
      wire: vllm ? 'vllm' : 'all',
      settings: { latency: numbers.latency!, tokensPerSecond: numbers['tokens-per-second']!, jitter: numbers.jitter! },
    });
  } catch (error) {
    return `The simulator cannot listen on ${host}:${numbers.port}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const engineSettings = ({ model, names, numbers }: Flags) => ({
  model,
  names: names as EngineNames,
  maxNumSeqs: numbers['max-num-seqs']!,
  maxNumBatchedTokens: numbers['max-num-batched-tokens']!,
  maxNumQueuedReqs: numbers['max-num-queued-reqs']!,
  maxModelLen: numbers['max-model-len']!,
  blockSize: numbers['block-size']!,
  numGpuBlocks: numbers['num-gpu-blocks']!,
  dataParallelSize: numbers['data-parallel-size']!,
  startup: numbers.startup!,
  speed: numbers.speed!,
  seed: numbers.seed!,
  cost: { jitter: numbers.jitter! },
});

const welcome = ({ origin }: Simulator, { vllm, engine, model }: Flags): string => `The simulator listens on ${origin}
${
  vllm || engine
    ? `  vLLM       ${origin}/v1`
    : `  OpenAI     ${origin}/v1
  Anthropic  ${origin}
  Azure      ${origin}/openai
  vLLM       ${origin}/vllm/v1`
}
Any key will do. Try:
  curl -s ${origin}/v1/chat/completions -H 'Authorization: Bearer any' -H 'Content-Type: application/json' \\
    -d '{"model":"${engine ? model : 'gpt-4o'}","messages":[{"role":"user","content":"Hello"}]}'
`;
