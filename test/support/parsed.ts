// The value of something that may have failed, where a test expects that it did not.
import assert from 'node:assert/strict';
import type { Parsed } from '#core/failure.ts';

export function valueIn<T>(parsed: Parsed<T>): T {
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.failure.message);
  return parsed.value;
}
