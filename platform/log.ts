// The process's log: JSON lines, or lines for people when standard output is a terminal.
import pino from 'pino';

export type Log = pino.Logger;

/** @param level pino's: trace, debug, info, warn, error, fatal, silent */
export async function createLog(level: string, out: NodeJS.WriteStream & { readonly fd: 1 | 2 } = process.stdout): Promise<Log> {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
  };
  if (!out.isTTY) return pino(options, pino.destination({ dest: out.fd, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ destination: out.fd, sync: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' }));
}
