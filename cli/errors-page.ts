// docs/errors.md, from the table of failures: what a client sees of each, and what the gateway does about it first.
import { type FailureClass, type FailurePolicy, failures } from '#core/failure.ts';

export function errorsPage(): string {
  const rows = Object.entries(failures) as [FailureClass, FailurePolicy][];
  const refused = rows.filter(([, { origin }]) => origin !== 'upstream');
  const upstream = rows.filter(([, { origin }]) => origin === 'upstream');
  return [introduction, table(refused), betweenTables, table(upstream), rest].join('\n');
}

function table(rows: readonly [FailureClass, FailurePolicy][]): string {
  return [
    '| Class (`code`) | Status | OpenAI `type` | Anthropic `type` | Retried as | Falls back as | Default message |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(([cls, policy]) => `| ${cellsOf(cls, policy).join(' | ')} |`),
    '',
  ].join('\n');
}

const cellsOf = (cls: FailureClass, { status, openAI, anthropic, retry, fallback, elsewhereFirst, message }: FailurePolicy) => [
  `\`${cls}\``,
  String(status),
  `\`${openAI}\``,
  `\`${anthropic}\``,
  retry ? `\`${retry}\`${elsewhereFirst ? ', other backends first' : ''}` : '',
  fallback ? `\`${fallback}\`` : '',
  message,
];

const introduction = `# Errors

Generated from \`core/failure.ts\` by \`npm run gen\`; do not edit.

Everything that fails has one class of this table. The class is the error's \`code\`. The body is in the dialect of the endpoint; paths that
belong to no dialect answer in OpenAI's. The request id is also in the header \`x-request-id\`.

OpenAI's dialect:

    {"error": {"message": "...", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}, "request_id": "..."}

Anthropic's dialect:

    {"type": "error", "error": {"type": "not_found_error", "message": "...", "code": "model_not_found", "param": "model",
     "details": {"error_code": "model_not_found"}}, "request_id": "..."}

An error before the first token has its HTTP status, streamed or not. A stream that fails after its first token is already a 200: it ends
with the same body in one event (\`data:\` in OpenAI's dialect, \`event: error\` in Anthropic's), without \`[DONE]\` or \`message_stop\`, and the
connection is closed. Nothing is retried after the first token.

## From the request and the gateway

What is wrong with the request or the key, or what the gateway itself cannot do. \`content_filtered\` and the classes beginning with
\`upstream_\` come from the provider, but about the request. Nothing here is retried. \`client_closed\` is in logs, metrics
and the ledger only, \`gateway_died\` in the ledger. \`budget_exceeded\`, \`rate_limit_exceeded\` and \`store_unavailable\`: [budgets.md](budgets.md#refusals).
`;

const betweenTables = `## From the provider

"Retried as" names the entry of a route's \`retries.on\` that lets the same backend be tried again; an empty cell: never. "Falls back as" names
the entry of \`fallback.on\` that lets another backend be tried. In this second table \`Exhausted\` in \`fallback.on\` is enough for every class:
it stands for "the provider failed and is not tried again". \`content_filtered\` and \`context_length_exceeded\` of the first table need their
own entry; \`ContentFiltered\` is not there by default.
`;

const rest = `## What the client sees in the end

- When several attempts fail, the last failure is the answer. A fallback that could not carry the request does not count.
- A provider's 401 or 403 is a 502 here: the gateway's credentials were refused, not the client's.
- A provider's 409 and 422 keep their status (class \`upstream_invalid_request\`), on Anthropic also a 404 that is not about a model.
- A provider's message is passed on without keys, account names, hosts and URLs. The messages of \`upstream_auth_failed\` and
  \`upstream_quota_exhausted\` of the OpenAI wires are replaced, as they describe the operator's account.
- \`Retry-After\` and \`retry-after-ms\` are set where the provider asked for a wait, and where it is known when a limit or budget has room again.
- \`x-should-retry: false\` stops the official SDKs from retrying what cannot get better. It is on provider failures that are never retried
  here, and on \`budget_exceeded\`, whose status \`BUDGET_EXCEEDED_STATUS\` can change.
- A route's \`catchAllAnswer\` replaces status and message of a provider's failure, with class \`no_backend\`.
- A request that is not HTTP as it should be gets a 400, 408 (headers or body too slow) or 431 (headers too large) and the connection is
  closed. There is no \`request_id\` then.
`;
