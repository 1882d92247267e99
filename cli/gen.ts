// Writes the files that are generated from the schemas, the table of failures and the price list (`npm run gen`), or with --check says
// which of them are out of step.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crdOf } from '../core/resources/crd.ts';
import { KINDS } from '../core/resources/index.ts';
import { referencePage } from '../core/resources/reference.ts';
import { alertRulesYaml } from '../deploy/alerts/rules-file.ts';
import { dashboardFiles } from '../deploy/dashboards/index.ts';
import { PRICE_LIST_FILE } from '../platform/price-list.ts';
import { chartFiles } from './chart.ts';
import { crdYaml } from './crds.ts';
import { errorsPage } from './errors-page.ts';
import { metricsPage } from './metrics-page.ts';
import { priceListFile } from './price-list.ts';

/** By path from the project's root. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const crds = KINDS.map(kind => [`crds/${crdOf(kind).metadata.name}.yaml`, crdYaml(kind)] as const);
  return new Map([
    ...crds,
    ['docs/resources.md', referencePage()],
    ['docs/errors.md', errorsPage()],
    ['docs/metrics.md', metricsPage()],
    ['deploy/alerts/tollgate.rules.yaml', alertRulesYaml()],
    [PRICE_LIST_FILE, priceListFile()],
    ...dashboardFiles(),
    ...chartFiles(),
  ]);
}

/** Paths of the files whose content is not what would be generated. */
export async function outOfStep(root: string): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, content] of generatedFiles()) {
    const present = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (present !== content) stale.push(path);
  }
  return stale;
}

async function main(args: readonly string[]): Promise<number> {
  const root = join(import.meta.dirname, '..');
  const stale = await outOfStep(root);
  if (args.includes('--check')) {
    for (const path of stale) process.stderr.write(`${path} is out of step with its source: run npm run gen\n`);
    return stale.length > 0 ? 1 : 0;
  }
  for (const path of stale) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), generatedFiles().get(path) ?? '');
    process.stdout.write(`wrote ${path}\n`);
  }
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
