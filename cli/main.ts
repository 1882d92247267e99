#!/usr/bin/env node
// The command line: `tollgate COMMAND`. Each command is imported only when it is asked for.

type Command = { readonly summary: string; readonly run: (args: string[]) => Promise<number> };

const out = (line: string) => void process.stdout.write(line);
const err = (line: string) => void process.stderr.write(line);
const stopped = () => new Promise<void>(resolve => void process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve()));

const commands: Readonly<Record<string, Command>> = {
  run: {
    summary: 'serve traffic from a folder of manifests (what `npm start` does)',
    run: async args => (await import('./run.ts')).run(args, { out, err, env: process.env }),
  },
  validate: {
    summary: 'say of each object in a folder whether it is sound, and where not',
    run: async args =>
      (await import('./validate.ts')).validate(args, { out, err, env: process.env, color: process.stdout.isTTY }),
  },
  explain: {
    summary: 'say which route and which backends a request would take, and why',
    run: async args => (await import('./explain.ts')).explain(args, { out, err, env: process.env }),
  },
  import: {
    summary: 'write the configuration of another gateway (LiteLLM) as manifests',
    run: async args => (await import('./import.ts')).importFrom(args, { out, err, env: process.env, now: Date.now }),
  },
  simulate: {
    summary: 'run a local stand-in for OpenAI, Azure OpenAI, Anthropic, Google, Bedrock and vLLM',
    run: async args => (await import('./simulate.ts')).simulate(args, { out, err, stopped: stopped() }),
  },
  warm: {
    summary: 'compile what a start needs, once, as `npm ci` does',
    run: async () => (await import('./warm.ts')).warm(),
  },
  migrate: {
    summary: 'create or update the tables of the ledger',
    run: async args => (await import('./migrate.ts')).migrate(args, { out, err, env: process.env }),
  },
  'cache-eval': {
    summary: 'say what the semantic cache would do with pairs of prompts',
    run: async args => (await import('./cache-eval.ts')).cacheEval(args, { out, err }),
  },
  crds: {
    summary: 'print the CustomResourceDefinitions',
    run: async args => (await import('./crds.ts')).crds(args, { out, err }),
  },
};

const help = `Tollgate: an LLM gateway that Kubernetes runs.

Usage: tollgate COMMAND [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  .join('\n')}

\`tollgate COMMAND --help\` says more.
`;

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    out(help);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command) return command.run(args);
  err(`tollgate: there is no command '${name}'.\n\n${help}`);
  return 2;
}

// `tollgate crds | head` closes the pipe early; that is no error of ours.
process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));
