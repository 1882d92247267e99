// Where the gateway's time goes: `node test/bench/profile.ts [--row=small] [--seconds=4] [--top=25]` loads it with a row of the
// benchmark under V8's profiler and prints the functions with the most time of their own, and the files.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load } from './load-process.ts';
import { rows } from './rows.ts';
import { startGateway, startMock, startTenantsGateway } from './servers.ts';

type Frame = { functionName: string; url: string; lineNumber: number };
type Profile = { nodes: { id: number; callFrame: Frame; children?: number[] }[]; samples: number[]; timeDeltas: number[] };

const { values: options } = parseArgs({
  options: {
    row: { type: 'string', default: 'small' },
    seconds: { type: 'string', default: '4' },
    top: { type: 'string', default: '25' },
  },
});
const row = rows[options.row];
if (!row) throw new Error(`no such row: ${options.row}. There are: ${Object.keys(rows)}`);

const folder = mkdtempSync(join(tmpdir(), 'tollgate-profile-'));
const mock = await startMock();
const nodeOptions = `--cpu-prof --cpu-prof-dir=${folder}`;
const needsStores = rows[options.row]?.pair.includes('tenants');
const gateway = needsStores ? await startTenantsGateway(mock.port, nodeOptions) : await startGateway(mock.port, { nodeOptions });
if (!gateway) throw new Error('this row needs redis-server and postgres');
await load(gateway, row, row.pair[1], Number(options.seconds));
await Promise.all([gateway.stop(), mock.stop()]);
const [file] = readdirSync(folder);
const profile = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as Profile;
rmSync(folder, { recursive: true });

const frames = new Map(profile.nodes.map(node => [node.id, node.callFrame]));
const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)));

const isOurs = ({ url }: Frame) => url.startsWith('file:') && !url.includes('node_modules');
const place = ({ url }: Frame) => (url.startsWith('file:') ? relative(process.cwd(), fileURLToPath(url)) : url || 'V8');
const spot = (frame: Frame) => `${frame.functionName || '(anonymous)'} ${place(frame)}:${frame.lineNumber + 1}`;
const owner = (frame: Frame) =>
  isOurs(frame) ? 'ours' : frame.url.includes('undici') ? 'undici' : frame.url ? 'node' : frame.functionName;

print('self, by function', stack => [spot(stack[0]!)]);
print('self, by file', stack => [place(stack[0]!)]);
print('self, by owner', stack => [owner(stack[0]!)]);
print('ours, with all that they call', stack => stack.filter(isOurs).map(spot));
print('ours, with what they call in V8, Node and undici', stack => stack.filter(isOurs).slice(0, 1).map(spot));

/** `namesOf` a stack, innermost frame first: what its time counts for. */
function print(heading: string, namesOf: (stack: Frame[]) => string[]): void {
  const times = new Map<string, number>();
  let total = 0;
  profile.samples.forEach((id, i) => {
    const stack = stackOf(id);
    if (stack[0]!.functionName === '(idle)') return;
    const time = profile.timeDeltas[i]!;
    total += time;
    for (const name of new Set(namesOf(stack))) times.set(name, (times.get(name) ?? 0) + time);
  });
  const top = [...times].sort(([, a], [, b]) => b - a).slice(0, Number(options.top));
  console.log(`\n     %  ${heading}`);
  for (const [name, time] of top) console.log(`${((time / total) * 100).toFixed(1).padStart(6)}  ${name}`);
}

function stackOf(id: number): Frame[] {
  const stack: Frame[] = [];
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) stack.push(frames.get(at)!);
  return stack;
}
