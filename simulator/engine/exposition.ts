// The text of `/metrics`: families in Prometheus' format, and what a test wants said instead of the truth.
import { type Family, pythonFloat, type Sample } from './metric-names.ts';

/** A value over time, from when it was set: a sine, a line that ends at `to`, or one and the other in turn. */
export type Pattern = {
  readonly pattern: 'oscillate' | 'ramp' | 'squarewave';
  readonly from: number;
  readonly to: number;
  /** Milliseconds of one turn, or of the line. */
  readonly period: number;
};

/** By the name of a series: a fixed value, a pattern, what an engine says that does not know, or nothing at all. */
export type Override = number | Pattern | 'NaN' | 'missing';

/** @param elapsed milliseconds since the pattern was set */
export function patternValue({ pattern, from, to, period }: Pattern, elapsed: number): number {
  const turn = (elapsed % period) / period;
  if (pattern === 'ramp') return from + (to - from) * Math.min(1, elapsed / period);
  if (pattern === 'squarewave') return turn < 0.5 ? from : to;
  return from + ((to - from) * (1 - Math.cos(2 * Math.PI * turn))) / 2;
}

/** @param overridden the value of a series of that name; 'missing' leaves it out, undefined leaves it as it is */
export function expositionOf(families: readonly Family[], overridden: (name: string) => number | 'missing' | undefined): string {
  return families
    .map(family => {
      const samples = family.samples.flatMap((sample): Sample[] => {
        const value = overridden(sample.name);
        if (value === 'missing') return [];
        return [value === undefined ? sample : { ...sample, value }];
      });
      return samples.length === 0 ? '' : familyText(family, samples);
    })
    .join('');
}

const familyText = ({ name, help, type }: Family, samples: readonly Sample[]): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map(sampleText).join('')}`;

/** Labels in the order of their names, as vLLM writes them. */
function sampleText({ name, labels, value }: Sample): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const shown = pairs.map(([label, text]) => `${label}="${text.replace(/[\\"\n]/g, escaped)}"`).join(',');
  return `${name}${shown && `{${shown}}`} ${pythonFloat(value)}\n`;
}

const escaped = (character: string): string => (character === '\n' ? '\\n' : `\\${character}`);
