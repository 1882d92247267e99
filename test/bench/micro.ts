// How long the byte scanner takes beside JSON.parse, by size and shape of the body: `node test/bench/micro.ts`. Figures are
// for reading, never asserted.
import { isUtf8 } from 'node:buffer';
import { editObject } from '#core/json/edit.ts';
import { scanObject } from '#core/json/scan.ts';

const limits = { maxDepth: 128, interpreted: new Set(['model', 'messages', 'stream']), isUtf8 };

const chat = (content: unknown) =>
  Buffer.from(JSON.stringify({ model: 'gpt-4o', temperature: 0.7, messages: [{ role: 'user', content }] }));
const text = (length: number) =>
  'The quick brown fox jumps over "the" lazy dog.\n'.repeat(Math.ceil(length / 47)).slice(0, length);
const turns = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: text(280) }));
const dense = (count: number) => Array.from({ length: count }, (_, i) => ({ a: i, b: [true, null, -1.5], c: { d: 'x', e: '' } }));
const image = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${'QUJDRA'.repeat(5_000_000 / 6)}` } }];

const bodies = {
  '1 KB': chat(text(900)),
  '64 KB, one text': chat(text(61_500)),
  '64 KB, 200 turns': Buffer.from(JSON.stringify({ model: 'gpt-4o', messages: turns(200) })),
  '5 MB, base64': chat(image),
  '10 MB, dense': chat(dense(220_000)),
  '10 MB, short words': chat(Array.from({ length: 900_000 }, () => 'word word')),
  '100,000 keys': chat(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key-${i}`, i]))),
};

/** Median nanoseconds of one call, over about 300 ms. */
function nanoseconds(run: () => unknown): number {
  for (let i = 0; i < 3; i++) run();
  const times: number[] = [];
  for (const end = performance.now() + 300; performance.now() < end || times.length < 5; ) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start));
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

console.log('body                     bytes       scan ns  scan + edit ns  JSON.parse ns   scan / parse');
for (const [name, bytes] of Object.entries(bodies)) {
  const scan = () => {
    const parsed = scanObject(bytes, limits);
    if (!parsed.ok) throw new Error(parsed.failure.message);
    return parsed.value;
  };
  const edits = new Map([['model', '"other"']]);
  const [scanned, edited, parsed] = [scan, () => editObject(scan(), edits), () => JSON.parse(bytes.toString())].map(nanoseconds);
  const columns = [bytes.length, scanned, edited, parsed].map(n => String(n).padStart(14)).join(' ');
  console.log(`${name.padEnd(18)}${columns}   ${(scanned! / parsed!).toFixed(3)}`);
}
