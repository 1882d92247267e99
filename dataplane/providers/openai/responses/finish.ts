// How a response ended, and what is wrong with one that failed.
import type { Finish } from '#core/chat/reply.ts';
import { type Failure, failure } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { recordOf, textOf } from '../../wire.ts';
import { inBandFailure } from '../errors.ts';

/** Of a response that did not fail; undefined: it goes on. */
export function finishOf(response: JsonRecord, hasCalls: boolean): Finish | undefined {
  switch (response.status) {
    case 'completed':
      return { reason: hasCalls ? 'tool-calls' : 'stop' };
    case 'incomplete':
      return incomplete(textOf(recordOf(response.incomplete_details).reason));
    case 'queued':
    case 'in_progress':
      return undefined;
    default:
      return { reason: hasCalls ? 'tool-calls' : 'stop', isAssumed: true };
  }
}

function incomplete(reason: string): Finish {
  switch (reason) {
    case 'max_output_tokens':
      return { reason: 'length' };
    case 'content_filter':
      return { reason: 'content-filter' };
    default:
      // Such as `max_tool_calls`: the turn was cut, and may be gone on with.
      return { reason: 'pause', isAssumed: true };
  }
}

/** Of a response that is over without an answer; undefined: it is not. */
export function failureOf({ status, error }: JsonRecord): Failure | undefined {
  if (status === 'cancelled') return failure('upstream_error', { message: 'The response was cancelled.', possiblyBilled: true });
  if (status !== 'failed') return undefined;
  return inBandFailure({ error: recordOf(error) }) ?? failure('upstream_error');
}
