// Loaded before a gateway (`node --import`): on SIGUSR2 its clock of the day is set back by an hour, as an administrator does it.
const { now } = Date;
process.on('SIGUSR2', () => {
  Date.now = () => now() - 3_600_000;
});
