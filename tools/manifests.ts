// deploy/manifests/tollgate.yaml: the chart as plain manifests. Part of `npm run gen` and, with --check, of `npm run check`; needs Helm
// (npm run tools), and says so where there is none. The cluster tests hold the file in step in any case.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { helmPath } from './places.ts';

const root = path.join(import.meta.dirname, '..');
const NAMESPACE = 'tollgate-system';
export const MANIFESTS = 'deploy/manifests/tollgate.yaml';

const HEADER = `# Rendered from charts/tollgate with values.yaml beside this file by \`npm run gen\`; do not edit.
#
#   kubectl apply --server-side -f crds/
#   kubectl apply -f deploy/manifests/tollgate.yaml
#
# The pods wait for two Secrets in ${NAMESPACE}: tollgate-stores (REDIS_URL, DATABASE_URL) and tollgate-master-key (TOLLGATE_MASTER_KEY).
`;

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
};

/** Throws what Helm complains of. */
export function renderedManifests(helm: string): string {
  const args = ['template', 'tollgate', 'charts/tollgate', '--namespace', NAMESPACE, '--no-hooks'];
  const { status, stdout, stderr } = spawnSync(helm, [...args, '--values', 'deploy/manifests/values.yaml'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const lines = stdout.split('\n').filter(line => line.trim() !== '' && !line.startsWith('# Source: '));
  return `${HEADER}${stringify(namespace)}${lines.join('\n')}\n`;
}

function main(args: readonly string[]): number {
  const helm = helmPath();
  if (!helm) {
    console.log(`${MANIFESTS} is left as it is: there is no Helm on this machine (npm run tools)`);
    return 0;
  }
  const wanted = renderedManifests(helm);
  const file = path.join(root, MANIFESTS);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return 0;
  if (args.includes('--check')) {
    console.error(`${MANIFESTS} is out of step with the chart: run npm run gen`);
    return 1;
  }
  writeFileSync(file, wanted);
  console.log(`wrote ${MANIFESTS}`);
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
