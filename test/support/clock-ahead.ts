// Loaded before a gateway (`node --import`): its clock of the day is ahead by so many milliseconds, so that leases of minutes are over.
const ahead = Number(process.env.CLOCK_AHEAD_MS ?? 0);
const { now } = Date;
Date.now = () => now() + ahead;
