-- The ledger: one row for each upstream attempt and each cache hit. docs/ledger.md explains it to people who query it.

-- The time in a UUIDv7 (RFC 9562, 5.7): its first 48 bits are milliseconds since the epoch.
create function ledger_admitted(id uuid) returns bigint language sql immutable strict parallel safe as
$$ select ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint $$;

create table attempts (
  request_id uuid not null,
  attempt integer not null,
  admitted bigint not null generated always as (ledger_admitted(request_id)) stored,
  at bigint not null,
  state text not null check (state in ('open', 'settled')),
  recovered boolean not null default false,
  tenant text not null,
  key_id text not null,
  key_name text not null,
  key_alias text,
  user_id text,
  tags jsonb not null default '{}',
  team text generated always as (tags ->> 'team') stored,
  feature text generated always as (tags ->> 'feature') stored,
  route text,
  operation text not null,
  model_requested text not null,
  model text not null,
  upstream_model text not null,
  provider text not null,
  endpoint text not null,
  dialect text not null,
  streamed boolean not null default false,
  status integer not null default 0,
  failure text,
  fallback_position integer not null default 0,
  retry_position integer not null default 0,
  first_of_provider boolean not null default true,
  first_of_model boolean not null default true,
  first_of_both boolean not null default true,
  upstream_id text,
  prompt_tokens bigint not null default 0,
  completion_tokens bigint not null default 0,
  uncached_tokens bigint not null default 0,
  cache_read_tokens bigint not null default 0,
  cache_write_5m_tokens bigint not null default 0,
  cache_write_1h_tokens bigint not null default 0,
  reasoning_tokens bigint not null default 0,
  audio_input_tokens bigint not null default 0,
  audio_output_tokens bigint not null default 0,
  estimated boolean not null default false,
  cost_nano_usd bigint,
  reserved_nano_usd bigint not null default 0,
  exceeded boolean not null default false,
  lease_until bigint not null default 0,
  unit_prices jsonb,
  price_source text,
  price_version text,
  gpu_seconds double precision,
  cache text not null default 'bypass',
  similarity double precision,
  saved_nano_usd bigint not null default 0,
  possibly_billed boolean not null default false,
  first_token_ms double precision,
  duration_ms double precision not null default 0,
  primary key (request_id, attempt)
) partition by range (request_id);

-- For what comes before its month has a partition; `maintain` moves it there.
create table attempts_default partition of attempts default;

create index attempts_at on attempts (at);
create index attempts_tenant_at on attempts (tenant, at);
create index attempts_upstream on attempts (upstream_id) where upstream_id is not null;
create index attempts_open on attempts (tenant, lease_until) where state = 'open';
-- What ended lately though it began long ago, for the sums that counters are rebuilt from.
create index attempts_long on attempts (tenant, at) where duration_ms >= 30000 or recovered;

-- Sums of the rows of one block of admission time (`admitted`) by the block of their own time (`bucket`): blocks of 15 minutes (tier 0),
-- of 3 hours (1) and of a day (2), all UTC. What a mark names is stale, and so is every larger block around it.
create table rollups (
  tier smallint not null,
  admitted bigint not null,
  bucket bigint not null,
  tenant text not null,
  key_name text not null,
  key_id text not null,
  model_requested text not null,
  model text not null,
  provider text not null,
  team text,
  feature text,
  attempts bigint not null,
  requests bigint not null,
  requests_by_provider bigint not null,
  requests_by_model bigint not null,
  requests_by_both bigint not null,
  failures bigint not null,
  prompt_tokens bigint not null,
  completion_tokens bigint not null,
  cost_nano_usd bigint not null,
  cache_hits bigint not null,
  saved_nano_usd bigint not null,
  fallback_cost_nano_usd bigint not null,
  estimated_rows bigint not null,
  unpriced_rows bigint not null
);
create index rollups_bucket on rollups (tier, bucket);
create index rollups_admitted on rollups (tier, admitted);

-- Not unique: writers only add, so they never wait for each other; who recomputes a block deletes the marks it has seen.
create table rollup_marks (tier smallint not null, admitted bigint not null);
create index rollup_marks_block on rollup_marks (tier, admitted);

-- A trigger, so that a correction by hand is in the reports too.
create function ledger_mark() returns trigger language plpgsql as $$
begin
  insert into rollup_marks (tier, admitted) select distinct 0, admitted - admitted % 900000 from changed;
  return null;
end $$;
create trigger attempts_inserted after insert on attempts referencing new table as changed
  for each statement execute function ledger_mark();
create trigger attempts_updated after update on attempts referencing new table as changed
  for each statement execute function ledger_mark();
create trigger attempts_deleted after delete on attempts referencing old table as changed
  for each statement execute function ledger_mark();

-- `kept_from`: rows admitted before it are gone, their sums stay.
create table ledger_state (name text primary key, value bigint not null);
insert into ledger_state (name, value) values ('kept_from', 0);

create table audits (
  id text primary key,
  at bigint not null,
  actor text not null,
  action text not null,
  object text not null,
  details jsonb not null
);
create index audits_at on audits (at);
