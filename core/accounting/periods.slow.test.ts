// Periods against a second library: 40 zones, every day of a year and every change of a clock; with TOLLGATE_SOAK=1 in each of 10 years,
// else in a leap year and the last one.
import { describe, test } from 'node:test';
import { checkZone, zones } from '#test/support/calendars.ts';
import { isWhole } from '#test/support/chaos.ts';

const YEARS = isWhole ? [2024, 2025, 2026, 2027, 2028, 2029, 2030, 2031, 2032, 2033] : [2024, 2033];

describe('periods agree with a second library', () => {
  for (const zone of zones)
    test(`in ${zone}, in ${YEARS.length} years from 2024 to 2033`, () => {
      for (const year of YEARS) checkZone(zone, year);
    });
});
