// Recorded streams through the hooks that change words: not a byte is another where nothing is found, and what is found is replaced as it would
// be in the whole text, wherever the provider cut it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Wanted } from '#core/sensitive/finder.ts';
import { charSet, MORE, mayBegin, NO } from '#core/sensitive/matcher.ts';
import { Frame } from '#dataplane/hooks/frame.ts';
import { replacedWords } from '#dataplane/hooks/replaced-words.ts';
import { RewriteStage } from '#dataplane/hooks/rewrite.ts';
import { recordedStreams } from '#test/support/recorded-streams.ts';
import { asData, asEvent, streamsIn, withoutRecordings } from '#test/support/recordings.ts';

const ALNUM = charSet('A-Za-z0-9');

/** Finds one text, letter by letter. */
const literal = (text: string): Wanted<'literal'> => ({
  kind: 'literal',
  detector: {
    begins: ALNUM,
    match(all, at, isWhole) {
      const there = all.slice(at, at + text.length);
      if (there === text) return at + text.length;
      return !isWhole && text.startsWith(there) ? MORE : NO;
    },
  },
});

function through(body: string, wanted: Wanted<'literal'>): Buffer {
  const out: Buffer[] = [];
  const next = { push: (frame: Frame) => void out.push(frame.bytes()), end: () => {} };
  const stage = new RewriteStage({ wanted: [wanted], by: () => '[FOUND]', hidesProbabilities: false }, next);
  for (const frame of Frame.ofStream(body)) stage.push(frame);
  stage.end();
  return Buffer.concat(out);
}

type Text = { text: string; readonly isJson: boolean };

/** The texts of a stream by their places. */
function textsIn(body: string | Buffer): ReadonlyMap<string, Text> {
  const texts = new Map<string, Text>();
  for (const { words } of Frame.ofStream(body))
    for (const { at, text } of words) {
      if (!at.isPiece) continue;
      const before = texts.get(at.place);
      if (before) before.text += text;
      else texts.set(at.place, { text, isJson: at.isJson });
    }
  return texts;
}

/** Where a detector is asked, a text of some length, over several events as a rule. */
function samplesOf(text: string): readonly string[] {
  const places = Array.from({ length: text.length }, (_, at) => at).filter(
    at => mayBegin(text, at) && ALNUM[text.charCodeAt(at)] === 1,
  );
  return [0.1, 0.5, 0.9].flatMap(share => {
    const at = places[Math.floor(places.length * share)];
    return at === undefined ? [] : [text.slice(at, at + 17)];
  });
}

/** As one that goes from left to right finds them. */
function replacedIn({ text, isJson }: Text, sample: string): string {
  const found = [];
  for (let at = 0; at < text.length; at++) {
    if (!text.startsWith(sample, at) || !mayBegin(text, at)) continue;
    found.push({ kind: 'literal', start: at, end: at + sample.length, text: sample });
    at += sample.length - 1;
  }
  return replacedWords(text, found, isJson, () => '[FOUND]');
}

const streams = [
  ...recordedStreams,
  ...streamsIn('ai-sdk/{openai/responses,azure}/*.chunks.txt', asEvent),
  ...streamsIn('ai-sdk/google/*.chunks.txt', asData),
];

describe('recorded streams', { skip: withoutRecordings }, () => {
  test('are there', () => assert.ok(streams.length > 40));

  for (const { name, body } of streams)
    test(name, () => {
      assert.equal(through(body, literal('there is no such text')).toString(), body);
      for (const [place, text] of textsIn(body))
        for (const sample of samplesOf(text.text)) {
          const after = textsIn(through(body, literal(sample)));
          assert.equal(after.get(place)?.text, replacedIn(text, sample), `${place}: ${sample}`);
        }
    });
});
