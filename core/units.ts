// Branded units: a number carries what it counts in its type, so that milliseconds cannot be added to tokens.

declare const unit: unique symbol;
type Unit<T, Name extends string> = T & { readonly [unit]: Name };

/** A duration in milliseconds. */
export type Millis = Unit<number, 'Millis'>;
/** A point in time: milliseconds since the Unix epoch, UTC. */
export type EpochMillis = Unit<number, 'EpochMillis'>;
/** A count of model tokens. */
export type Tokens = Unit<number, 'Tokens'>;
/** A price: pico-dollars (1e-12 USD) for one token. "2.50" USD per million tokens is 2,500,000. An integer below 2^53. */
export type PicoUsd = Unit<number, 'PicoUsd'>;
/** An amount of money: nano-dollars (1e-9 USD). An integer below 2^53, so at most about 9 million USD. */
export type NanoUsd = Unit<number, 'NanoUsd'>;

export const millis = (n: number): Millis => n as Millis;
export const epochMillis = (n: number): EpochMillis => n as EpochMillis;
export const tokens = (n: number): Tokens => n as Tokens;
export const picoUsd = (n: number): PicoUsd => n as PicoUsd;
export const nanoUsd = (n: number): NanoUsd => n as NanoUsd;

/** The time in a UUIDv7 (RFC 9562, 5.7): its first 48 bits. Of a request's id, the moment of admission. */
export const uuidTime = (id: string): EpochMillis => epochMillis(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));

/** For the `default` branch of an exhaustive switch: a new variant fails to compile here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
