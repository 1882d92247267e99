// A change by itself is taken up at once, a crowd in a few steps, and a revocation waits for no crowd.
import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { Coalesce } from './coalesce.ts';

describe('gathering', () => {
  let acts: number[];
  let now = 0;
  let gather: Coalesce;
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      now++;
      mock.timers.tick(1);
    }
  };
  beforeEach(() => {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout'] });
    [acts, now] = [[], 0];
    gather = new Coalesce(() => acts.push(now));
  });

  test('takes up one change after a twentieth of a second, and the next likewise', () => {
    gather.touch(now);
    pass(300);
    gather.touch(now);
    pass(300);
    assert.deepEqual(acts, [50, 350]);
  });

  test('takes up a crowd that goes on for ten seconds in four steps, and then is quick again', () => {
    for (let change = 0; change < 2_000; change++) {
      gather.touch(now);
      pass(5);
    }
    pass(2_000);
    assert.ok(acts.length <= 4, `${acts}`);
    const before = now;
    gather.touch(now);
    pass(100);
    assert.equal(acts.at(-1), before + 50);
  });

  test('lets what is urgent wait for no crowd', () => {
    for (let change = 0; change < 100; change++) {
      gather.touch(now, change === 50);
      pass(5);
    }
    assert.ok(acts[0]! <= 300, `${acts}`);
  });
});
