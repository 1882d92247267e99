// `tollgate simulate`: the bundled simulator as a server of its own.
import { parseArgs } from 'node:util';
import { type Simulator, startSimulator } from '#simulator/index.ts';

export type SimulateIo = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when the process is asked to stop. */
  readonly stopped: Promise<unknown>;
};

const help = `Usage: tollgate simulate [options]

A local server that speaks the wires of OpenAI, Azure OpenAI, Anthropic and vLLM and answers from the prompt alone: no key, no network,
the same answer each time. Faults on demand: docs/simulator.md.

  --port <number>               where to listen (4010; 0: any free port)
  --host <address>              on which address (127.0.0.1)
  --latency <ms>                time to the first token (0)
  --tokens-per-second <number>  how fast tokens come after it (0: as fast as they are read)
  --jitter <0..1>               how far these may be off (0)
  --vllm                        be a vLLM server altogether; else that wire is under /vllm/
  --quiet                       no line per request
  --help                        this text
`;

const flags = {
  port: { type: 'string', default: '4010' },
  host: { type: 'string', default: '127.0.0.1' },
  latency: { type: 'string', default: '0' },
  'tokens-per-second': { type: 'string', default: '0' },
  jitter: { type: 'string', default: '0' },
  vllm: { type: 'boolean', default: false },
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
  io.out(welcome(started, parsed.vllm));
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
    return { ...values, numbers };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function start({ host, numbers, vllm, quiet }: Flags, io: SimulateIo): Promise<Simulator | string> {
  try {
    return await startSimulator({
      host,
      port: numbers.port!,
      wire: vllm ? 'vllm' : 'all',
      settings: { latency: numbers.latency!, tokensPerSecond: numbers['tokens-per-second']!, jitter: numbers.jitter! },
      ...(!quiet && { log: line => io.out(`${line}\n`) }),
    });
  } catch (error) {
    return `The simulator cannot listen on ${host}:${numbers.port}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const welcome = ({ origin }: Simulator, isVllm: boolean): string => `The simulator listens on ${origin}
${
  isVllm
    ? `  vLLM       ${origin}/v1`
    : `  OpenAI     ${origin}/v1
  Anthropic  ${origin}
  Azure      ${origin}/openai
  vLLM       ${origin}/vllm/v1`
}
Any key will do. Try:
  curl -s ${origin}/v1/chat/completions -H 'Authorization: Bearer any' -H 'Content-Type: application/json' \\
    -d '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello"}]}'
`;
