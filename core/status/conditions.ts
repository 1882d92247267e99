// The conditions of an object, from what compile said of it, how far it has come, and how its surroundings are. A condition that stays
// as it is keeps its time: an equal status is no write. No message of a condition that is True tells a number that changes elsewhere.
import type { Verdict } from '../compile/verdict.ts';
import { CONDITION_TYPES, type ConditionType } from '../resources/common.ts';
import type { Delivery } from './delivery.ts';

/** `metav1.Condition`. */
export type StatusCondition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
};

/** Whether requests can be served by it now; `reason` is one of the table in docs/kubernetes.md. */
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string; readonly message: string };

export type ConditionInput = {
  /** The generation of the object that the verdict is about. */
  readonly generation: number;
  readonly verdict: Pick<Verdict, 'conditions' | 'live'>;
  readonly delivery: Delivery;
  readonly readiness: Readiness;
  /** Those in its status now. */
  readonly before: readonly StatusCondition[];
  /** Epoch milliseconds. */
  readonly now: number;
};

/** How long an acknowledgement may take before it is worth a write. */
const PATIENCE_MS = 1_000;
const MAX_MESSAGE = 1_024;

/** A wait instead of conditions: most changes are acknowledged within a moment, and then one write tells all. */
export type Conditions =
  | { readonly kind: 'written'; readonly conditions: readonly StatusCondition[] }
  | { readonly kind: 'wait'; readonly ms: number };

export function conditionsOf(input: ConditionInput): Conditions {
  const { verdict, delivery } = input;
  if (verdict.live && delivery.kind === 'travelling' && delivery.forMs < PATIENCE_MS)
    return { kind: 'wait', ms: PATIENCE_MS - delivery.forMs };
  return { kind: 'written', conditions: CONDITION_TYPES.map(type => dated(type, findingOf(type, input), input)) };
}

type Finding = Pick<StatusCondition, 'status' | 'reason' | 'message'>;

function findingOf(type: ConditionType, input: ConditionInput): Finding {
  if (type === 'Programmed') return programmed(input);
  if (type === 'Ready') return ready(input);
  return saidOf(type, input.verdict);
}

function saidOf(type: ConditionType, { conditions }: ConditionInput['verdict']): Finding {
  return conditions.find(condition => condition.type === type) ?? { status: 'Unknown', reason: 'Pending', message: '' };
}

const failing = (reason: string, message: string): Finding => ({ status: 'False', reason, message });

/** What keeps an object out, as its own conditions say. */
function obstacleOf({ conditions }: ConditionInput['verdict']): Finding {
  const obstacle = conditions.find(({ status }) => status === 'False');
  return failing(obstacle?.reason ?? 'Pending', obstacle ? `it is left out: see ${obstacle.type}` : 'it is left out');
}

function programmed({ verdict, delivery }: ConditionInput): Finding {
  if (delivery.kind === 'too-large') return failing('ConfigTooLarge', 'there is no room for it in the configuration');
  if (!verdict.live) return obstacleOf(verdict);
  switch (delivery.kind) {
    case 'delivered':
      return { status: 'True', reason: 'Programmed', message: '' };
    case 'travelling':
      return failing('Propagating', `not acknowledged yet by ${named(delivery.waitingFor)}`);
    case 'no-data-plane':
      return failing('NoDataPlane', 'no data-plane pod is ready');
    case 'rejected':
      return failing('RejectedByDataPlane', delivery.message);
  }
}

function ready({ verdict, delivery, readiness }: ConditionInput): Finding {
  const said = saidOf('Ready', verdict);
  if (said.status === 'False') return said;
  if (!verdict.live || delivery.kind === 'too-large') return obstacleOf(verdict);
  const accepted = saidOf('Accepted', verdict);
  if (accepted.status === 'False') return failing(accepted.reason, accepted.message);
  return readiness.ready ? { status: 'True', reason: 'Ready', message: '' } : failing(readiness.reason, readiness.message);
}

const MAX_NAMED = 3;
function named(pods: readonly string[]): string {
  const others = pods.length - MAX_NAMED;
  return `${pods.slice(0, MAX_NAMED).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

function dated(
  type: ConditionType,
  { status, reason, message }: Finding,
  { generation, before, now }: ConditionInput,
): StatusCondition {
  const earlier = before.find(condition => condition.type === type);
  const stays = earlier !== undefined && earlier.status === status;
  return {
    type,
    status,
    reason,
    // Half of a character is another one when the server has written it.
    message: message.slice(0, MAX_MESSAGE).toWellFormed(),
    observedGeneration: generation,
    lastTransitionTime: stays ? earlier.lastTransitionTime : timeText(now),
  };
}

/** `metav1.Time` knows no fractions. */
export const timeText = (now: number): string => new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
