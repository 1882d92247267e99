// Keeps account of what a target cannot take: left out where the provider's `dropUnsupported` says so, else the request is refused.
import { type Failure, failure } from '#core/failure.ts';

export class LeavingOut {
  readonly #target: string;
  readonly #mayDrop: boolean;
  readonly dropped: string[] = [];
  refusal: Failure | undefined;

  constructor(target: string, mayDrop: boolean) {
    this.#target = target;
    this.#mayDrop = mayDrop;
  }

  leaveOut(param: string): undefined {
    if (this.#mayDrop) this.dropped.push(param);
    else this.refuse(param, `${this.#target} does not support ${param}.`);
  }

  /** What the request is nothing without. */
  refuse(param: string, message: string): undefined {
    this.refusal ??= failure('unsupported_parameter', { message, param });
  }
}
