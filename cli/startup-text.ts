// What a person reads after `npm start`: where it listens, what stands behind it, and a line to try.
import type { FolderConfig, LoadReport } from '#dataplane/config/folder.ts';

export type StartupFacts = {
  readonly host: string;
  readonly port: number;
  readonly internalPort: number;
  readonly config: FolderConfig;
  readonly report: LoadReport;
  /** Shown only where it was made here; what the user set is not repeated. */
  readonly masterKey: string | undefined;
};

export function startupText({ host, port, internalPort, config, report, masterKey }: StartupFacts): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${reachable}:${port}`;
  const { snapshot } = config.current();
  const broken = report.verdicts.filter(v => !v.sound).length + report.errors.length;
  const lines = [
    `Tollgate listens on ${url} (internal: http://${reachable}:${internalPort})`,
    `  ${count(Object.keys(snapshot.providers).length, 'provider')}, ${count(snapshot.routes.length, 'route')}, ${count(snapshot.keys.length, 'key')} are live${broken > 0 ? `; ${count(broken, 'object')} need mending, see the log` : ''}`,
  ];
  if (report.simulated)
    lines.push(
      '  No provider key is in the environment: the bundled simulator answers. Set OPENAI_API_KEY or ANTHROPIC_API_KEY for the real ones.',
    );
  if (masterKey !== undefined) lines.push(`  Master key: ${masterKey}`);
  const example = exampleCall(config);
  if (example) lines.push('', 'Try it:', '', curlLine(url, example));
  return `\n${lines.join('\n')}\n\n`;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** A key that was made here, and a model that it may ask for. */
function exampleCall({ generated, current }: FolderConfig): { key: string; model: string } | undefined {
  const { snapshot } = current();
  for (const entry of snapshot.keys) {
    const key = generated.get(`${entry.namespace}/${entry.name}`);
    const model = snapshot.routes.flatMap(r => r.match).find(m => m.model?.type === 'Exact')?.model?.value;
    if (key !== undefined && model !== undefined) return { key, model };
  }
  return undefined;
}

/** One line, ready for a shell. */
function curlLine(url: string, { key, model }: { key: string; model: string }): string {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'What is the capital of France?' }] });
  return `curl ${url}/v1/chat/completions -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '${body}'`;
}
