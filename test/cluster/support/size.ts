// How much the tests of a cluster measure: all that the goals name with TOLLGATE_SOAK, else little enough for CI.

export const isSoak = process.env.TOLLGATE_SOAK !== undefined;

/** @param variable sets it by itself, for a run that is whole in this alone */
export const sized = (whole: number, shortened: number, variable?: string): number =>
  Number((variable && process.env[variable]) || (isSoak ? whole : shortened));
