// Runs the commands of the documentation: each page in a fresh copy of the project and in a network of its own, so that its ports are free, whatever
// runs here, and nothing is fetched from anywhere.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { copyProject } from './support/clone.ts';
import { hasCommands, type Page, pageOf, scriptOf } from './support/doc-commands.ts';
import { within } from './support/until.ts';

const root = path.join(import.meta.dirname, '..');
const DEADLINE_MS = 300_000;
const own = process.getuid?.() === 0 ? ['-n', '-p', '--fork', '--kill-child'] : ['-r', '-n', '-p', '--fork', '--kill-child'];
const inOwnNetwork = (...command: string[]) => [...own, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...command];

const missing =
  spawnSync('unshare', inOwnNetwork('curl', '--version')).status === 0
    ? false
    : 'needs curl, and network namespaces (Linux: util-linux, iproute2)';

describe('the commands of', { skip: missing }, () => {
  for (const name of globSync('{README.md,docs/*.md}', { cwd: root }).toSorted()) {
    const page = pageOf(readFileSync(path.join(root, name), 'utf8'));
    if (hasCommands(page, 'here')) test(name, () => runPage(name, page));
  }

  test('commands that fail, that do not fail, that print something else, or serve nobody, fail the page', async () => {
    const page = (...lines: string[]) => pageOf(lines.join('\n'));
    await assert.rejects(runPage('wrong', page('<!-- run -->', '```sh', 'true', 'false', 'true', '```')), /wrong:2 failed \(1\)/);
    await assert.rejects(runPage('wrong', page('<!-- run, prints /b/ -->', '```sh', 'echo a', '```')), /does not print b/);
    await assert.rejects(runPage('wrong', page('<!-- run, fails -->', '```sh', 'true', '```')), /does not fail/);
    const server = page('<!-- run in background until http://127.0.0.1:4000/ -->', '```sh', 'echo gone', '```');
    await assert.rejects(runPage('wrong', server), /wrong:2 failed/);
  });
});

async function runPage(name: string, page: Page): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-docs-'));
  const copy = path.join(folder, 'tollgate');
  try {
    copyProject(copy);
    const shims = shimsIn(folder);
    const script = path.join(folder, 'page.sh');
    writeFileSync(script, scriptOf(name, page));
    // A request that is refused fails its block.
    writeFileSync(path.join(folder, '.curlrc'), 'fail-with-body\n');
    const shell = spawn('unshare', inOwnNetwork('bash', script), {
      cwd: copy,
      env: {
        PATH: `${shims}:${path.join(root, 'node_modules/.bin')}:${process.env.PATH}`,
        HOME: folder,
        LOG_LEVEL: 'warn',
        npm_config_update_notifier: 'false',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: Buffer[] = [];
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', chunk => said.push(chunk));
    try {
      const [code] = (await within(DEADLINE_MS, `${name} is run`, once(shell, 'exit'))) as [number | null];
      assert.equal(code, 0, Buffer.concat(said).toString());
    } finally {
      shell.kill('SIGKILL');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** `npm ci` has been done, and is a stage of CI by itself. Everything else is npm's. */
function shimsIn(folder: string): string {
  const shims = path.join(folder, 'shims');
  const npm = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim();
  mkdirSync(shims);
  writeFileSync(path.join(shims, 'npm'), `#!/bin/sh\nif [ "$*" = ci ]; then exit 0; fi\nexec ${npm} "$@"\n`, { mode: 0o755 });
  return shims;
}
