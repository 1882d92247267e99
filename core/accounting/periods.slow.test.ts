// Periods against a second library: 40 zones, 10 years, every day of them and every change of a clock.
import { describe, test } from 'node:test';
import { checkZone, zones } from '#test/support/calendars.ts';

const YEARS = [2024, 2025, 2026, 2027, 2028, 2029, 2030, 2031, 2032, 2033];

describe('periods agree with a second library', () => {
  for (const zone of zones)
    test(`in ${zone}, from 2024 to 2033`, () => {
      for (const year of YEARS) checkZone(zone, year);
    });
});
