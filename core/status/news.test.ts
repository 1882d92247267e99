// Which turns of conditions are told as events.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newsOf } from './news.ts';

const TYPES = ['Accepted', 'ResolvedRefs', 'Programmed', 'Ready'] as const;
/** `True`, or the reason why not; absent: True. */
const conditions = (said: Partial<Record<(typeof TYPES)[number], string>>) =>
  TYPES.map(type => {
    const word = said[type] ?? 'True';
    if (word === 'True') return { type, status: 'True' as const, reason: type, message: '' };
    return {
      type,
      status: word === 'Pending' ? ('Unknown' as const) : ('False' as const),
      reason: word,
      message: `says ${word}`,
    };
  });
const fresh = conditions({ Accepted: 'Pending', ResolvedRefs: 'Pending', Programmed: 'Pending', Ready: 'Pending' });
const told = (before: ReturnType<typeof conditions>, now: ReturnType<typeof conditions>) =>
  newsOf(before, now).map(({ isWarning, reason }) => `${isWarning ? 'Warning' : 'Normal'} ${reason}`);

describe('what is told of an object', () => {
  test('is nothing when all goes well, nor when nothing turns', () => {
    assert.deepEqual(told(fresh, conditions({})), []);
    assert.deepEqual(told([], conditions({})), []);
    const broken = conditions({ ResolvedRefs: 'SecretNotFound', Programmed: 'SecretNotFound', Ready: 'SecretNotFound' });
    assert.deepEqual(told(broken, broken), []);
  });

  test('is what keeps it out, once, and that it is served when that is mended', () => {
    const broken = conditions({ ResolvedRefs: 'SecretNotFound', Programmed: 'SecretNotFound', Ready: 'NoHealthyBackend' });
    assert.deepEqual(told(fresh, broken), ['Warning SecretNotFound']);
    assert.equal(newsOf(fresh, broken)[0]?.note, 'says SecretNotFound');
    assert.deepEqual(told(broken, conditions({})), ['Normal ResolvedRefs', 'Normal Programmed']);
  });

  test('is another reason for the same', () => {
    const [one, other] = ['SecretNotFound', 'SecretKeyMissing'].map(reason =>
      conditions({ ResolvedRefs: reason, Programmed: reason }),
    );
    assert.deepEqual(told(one!, other!), ['Warning SecretKeyMissing']);
  });

  test('is that pods refuse it, and that they take it; not that it is on its way', () => {
    assert.deepEqual(told(conditions({}), conditions({ Programmed: 'RejectedByDataPlane' })), ['Warning RejectedByDataPlane']);
    assert.deepEqual(told(conditions({ Programmed: 'RejectedByDataPlane' }), conditions({})), ['Normal Programmed']);
    assert.deepEqual(told(conditions({}), conditions({ Programmed: 'Propagating' })), []);
    assert.deepEqual(told(conditions({ Programmed: 'Propagating' }), conditions({})), []);
  });

  test('is an end that somebody wanted, as no warning', () => {
    const expired = conditions({ Accepted: 'Expired', Programmed: 'Expired', Ready: 'Expired' });
    assert.deepEqual(told(conditions({}), expired), ['Normal Expired']);
    assert.deepEqual(told(expired, conditions({})), ['Normal Accepted', 'Normal Programmed']);
  });

  test('is how its surroundings turn', () => {
    const partial = conditions({ ResolvedRefs: 'ProviderNotFound' });
    assert.deepEqual(told(partial, conditions({ ResolvedRefs: 'ProviderNotFound', Ready: 'NoHealthyBackend' })), [
      'Warning NoHealthyBackend',
    ]);
    assert.deepEqual(told(conditions({}), conditions({ Ready: 'EngineWedged' })), ['Warning EngineWedged']);
    assert.deepEqual(told(conditions({ Ready: 'EngineWedged' }), conditions({})), ['Normal Ready']);
  });
});
