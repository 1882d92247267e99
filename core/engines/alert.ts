// A warning that an engine takes requests and answers none.
import type { Alert } from '../admission/alerts.ts';
import type { Millis } from '../units.ts';

export type WedgedEngine = {
  /** `namespace/name`. */
  readonly provider: string;
  readonly endpoint: string;
  /** Of several engines behind it those that are wedged. Empty: all. */
  readonly engines: readonly string[];
  readonly wedgedAfter: Millis;
};

/** Every process sees it at about the same time; the next episode cannot begin before `wedgedAfter` is over again. */
export function engineWedgedAlert({ provider, endpoint, engines, wedgedAfter }: WedgedEngine): Alert {
  const which = engines.join(', ');
  const seconds = wedgedAfter / 1000;
  return {
    kind: 'engine_wedged',
    text: `${which === '' ? 'The engine' : `Engine ${which}`} at ${endpoint} (provider ${provider}) has requests and has made no progress for ${seconds} s.`,
    fields: { provider, endpoint, ...(which !== '' && { engines: which }), wedged_after_seconds: seconds },
    key: JSON.stringify(['engine_wedged', provider, endpoint]),
    quietFor: wedgedAfter,
  };
}
