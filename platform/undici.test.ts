import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as whole from 'undici';
import { buildConnector, errors, Pool } from './undici.ts';

test('the parts are those that undici exports', () => {
  assert.equal(Pool, whole.Pool);
  assert.equal(buildConnector, whole.buildConnector);
  assert.equal(errors.ConnectTimeoutError, whole.errors.ConnectTimeoutError);
});
