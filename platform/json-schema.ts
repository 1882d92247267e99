// Whether a value is one that a JSON schema takes. Schemas come from clients: patterns that backtrack, references that go around and
// combinations that multiply can each take for ever, so the check runs under a limit of time, and is given up at it.
import { createContext, Script } from 'node:vm';
import { type Schema, Validator } from '@cfworker/json-schema';

/**
 * By draft 2020-12.
 * @returns false also where the schema makes no sense, or the check takes too long
 */
export type SchemaCheck = (schema: Readonly<Record<string, unknown>>, value: unknown) => boolean;

/** An honest check takes a fraction of a millisecond. The event loop stands still meanwhile. */
const TIME_LIMIT_MS = 100;

/** Costs nothing before its first use. */
export function schemaCheck(): SchemaCheck {
  let interruptible: ReturnType<typeof interruptibly> | undefined;
  return (schema, value) => {
    interruptible ??= interruptibly();
    return interruptible(() => new Validator(schema as Schema, '2020-12').validate(value).valid);
  };
}

/** Only what runs inside `vm` can be interrupted, regular expressions included; what it calls may be from outside. */
function interruptibly(): (check: () => boolean) => boolean {
  const box = { check: (): boolean => false };
  const context = createContext(box);
  const script = new Script('check()');
  return check => {
    box.check = check;
    try {
      return script.runInContext(context, { timeout: TIME_LIMIT_MS }) === true;
    } catch {
      return false;
    } finally {
      box.check = () => false;
    }
  };
}
