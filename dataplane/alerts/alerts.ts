// Where warnings go: a line in the log, a metric, a webhook. Each event once, however often and in however many processes it happens.
import type { Alert, AlertKind } from '#core/admission/alerts.ts';
import type { Millis } from '#core/units.ts';
import type { Alerts } from '../ports.ts';

export type AlertsOptions = {
  readonly log: { warn(fields: object, message: string): void };
  readonly count: (kind: AlertKind) => void;
  readonly webhook?: { deliver(alert: Alert): void; close(): void };
  /** Whether this process is the first of all to tell of it; a rejection counts as yes: better told twice than never. */
  readonly isFirst?: (key: string, quietFor: Millis) => Promise<boolean>;
  readonly now: () => number;
};

/** Events that are remembered; beyond it the oldest are forgotten, and could be told again. */
const MAX_REMEMBERED = 10_000;

export function createAlerts({ log, count, webhook, isFirst, now }: AlertsOptions): Alerts & { close(): void } {
  /** Until when each key is quiet. */
  const quietUntil = new Map<string, number>();
  const tell = (alert: Alert) => {
    count(alert.kind);
    log.warn({ alert: alert.kind, ...alert.fields }, alert.text);
    webhook?.deliver(alert);
  };
  return {
    emit(alert) {
      const at = now();
      if ((quietUntil.get(alert.key) ?? 0) > at) return;
      if (quietUntil.size >= MAX_REMEMBERED) quietUntil.delete(quietUntil.keys().next().value!);
      quietUntil.delete(alert.key);
      quietUntil.set(alert.key, at + alert.quietFor);
      if (!isFirst) return tell(alert);
      isFirst(alert.key, alert.quietFor).then(
        first => first && tell(alert),
        () => tell(alert),
      );
    },
    close: () => webhook?.close(),
  };
}
