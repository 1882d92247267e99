// A real Prometheus for tests, on a free port, in a temporary folder.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './ports.ts';
import { until } from './until.ts';

export type Prometheus = {
  /** Values of an instant query, now. */
  query(expr: string): Promise<readonly number[]>;
  /** `up` of each target, by job. */
  targets(): Promise<Readonly<Record<string, boolean>>>;
  /** Names of rules that could not be evaluated, with what is wrong. */
  brokenRules(): Promise<readonly string[]>;
  stop(): Promise<void>;
};

/**
 * @param targets by job, `host:port`; each gets these labels, as the Kubernetes discovery would give it
 * @param rules text of a file of rules
 */
export async function startPrometheus(
  targets: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
  rules: string,
): Promise<Prometheus> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: Object.entries(targets).map(([job_name, target]) => ({
      job_name,
      static_configs: [{ targets: [target], labels }],
    })),
  };
  writeFileSync(path.join(folder, 'prometheus.yaml'), stringify(config));
  writeFileSync(path.join(folder, 'rules.yaml'), rules);
  const address = `127.0.0.1:${await freePort()}`;
  const flags = [
    `--config.file=${path.join(folder, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${path.join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ];
  const child = spawn('prometheus', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', chunk => said.push(chunk));
  const get = async (what: string): Promise<{ readonly data: never; readonly error?: string }> => {
    const answer = await fetch(`http://${address}/api/v1/${what}`);
    return (await answer.json()) as never;
  };
  const stop = async () => {
    const exited = once(child, 'exit');
    if (child.exitCode === null) child.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  await until('Prometheus is ready', async () => (await fetch(`http://${address}/-/ready`)).ok, 20_000).catch(async error => {
    await stop();
    throw new Error(Buffer.concat(said).toString(), { cause: error });
  });
  type Result = { readonly value: readonly [number, string] };
  type Target = { readonly labels: { readonly job: string }; readonly health: string };
  type RuleGroup = { readonly rules: readonly { readonly name: string; readonly lastError?: string }[] };
  return {
    async query(expr) {
      const { data, error } = await get(`query?query=${encodeURIComponent(expr)}`);
      if (error !== undefined) throw new Error(`${error} in ${expr}`);
      return (data as { result: readonly Result[] }).result.map(({ value }) => Number(value[1]));
    },
    async targets() {
      const { activeTargets } = (await get('targets')).data as { activeTargets: readonly Target[] };
      return Object.fromEntries(activeTargets.map(({ labels, health }) => [labels.job, health === 'up']));
    },
    async brokenRules() {
      const { groups } = (await get('rules')).data as { groups: readonly RuleGroup[] };
      return groups.flatMap(({ rules }) => rules.flatMap(({ name, lastError }) => (lastError ? [`${name}: ${lastError}`] : [])));
    },
    stop,
  };
}
