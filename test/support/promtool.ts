// Prometheus's own checks, where they are installed.
import { spawnSync } from 'node:child_process';

const isPrometheusInstalled =
  spawnSync('promtool', ['--version']).status === 0 && spawnSync('prometheus', ['--version']).status === 0;

/** For `skip` of tests. */
export const withoutPrometheus = !isPrometheusInstalled && 'Prometheus is not installed (Debian: apt-get install prometheus)';

export function promtool(...args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { ok: status === 0, output: stdout + stderr };
}

/** Names of metrics in a query: what is left when labels, functions and words of the language are gone. */
export function metricsIn(expr: string): readonly string[] {
  const bare = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const names = bare.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])/g);
  return [...new Set(Array.from(names, ([, name]) => name!))].filter(name => !WORDS.has(name));
}

const WORDS = new Set(['and', 'or', 'unless', 'offset', 'bool', 'by', 'on', 's', 'm', 'h', 'd']);
