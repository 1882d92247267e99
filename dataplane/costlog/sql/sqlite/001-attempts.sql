-- The ledger: one row for each upstream attempt and each cache hit. docs/ledger.md explains it to people who query it.

create table attempts (
  request_id text not null,
  attempt integer not null,
  -- The time in the UUIDv7 (RFC 9562, 5.7): its first 48 bits, read as a hexadecimal number of JSON5.
  admitted integer not null generated always as (('0x' || substr(replace(request_id, '-', ''), 1, 12)) ->> '$') stored,
  at integer not null,
  state text not null check (state in ('open', 'settled')),
  recovered integer not null default 0,
  tenant text not null,
  key_id text not null,
  key_name text not null,
  key_alias text,
  user_id text,
  tags text not null default '{}',
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
  streamed integer not null default 0,
  status integer not null default 0,
  failure text,
  fallback_position integer not null default 0,
  retry_position integer not null default 0,
  first_of_provider integer not null default 1,
  first_of_model integer not null default 1,
  first_of_both integer not null default 1,
  upstream_id text,
  prompt_tokens integer not null default 0,
  completion_tokens integer not null default 0,
  uncached_tokens integer not null default 0,
  cache_read_tokens integer not null default 0,
  cache_write_5m_tokens integer not null default 0,
  cache_write_1h_tokens integer not null default 0,
  reasoning_tokens integer not null default 0,
  audio_input_tokens integer not null default 0,
  audio_output_tokens integer not null default 0,
  estimated integer not null default 0,
  cost_nano_usd integer,
  reserved_nano_usd integer not null default 0,
  exceeded integer not null default 0,
  lease_until integer not null default 0,
  unit_prices text,
  price_source text,
  price_version text,
  gpu_seconds real,
  cache text not null default 'bypass',
  similarity real,
  saved_nano_usd integer not null default 0,
  possibly_billed integer not null default 0,
  first_token_ms real,
  duration_ms real not null default 0,
  primary key (request_id, attempt)
);

create index attempts_at on attempts (at);
create index attempts_tenant_at on attempts (tenant, at);
create index attempts_upstream on attempts (upstream_id) where upstream_id is not null;
create index attempts_open on attempts (tenant, lease_until) where state = 'open';
-- What ended lately though it began long ago, for the sums that counters are rebuilt from.
create index attempts_long on attempts (tenant, at) where duration_ms >= 30000 or recovered;

-- Sums of the rows of one block of admission time (`admitted`) by the block of their own time (`bucket`): blocks of 15 minutes (tier 0),
-- of 3 hours (1) and of a day (2), all UTC. What a mark names is stale, and so is every larger block around it.
create table rollups (
  tier integer not null,
  admitted integer not null,
  bucket integer not null,
  tenant text not null,
  key_name text not null,
  key_id text not null,
  model_requested text not null,
  model text not null,
  provider text not null,
  team text,
  feature text,
  attempts integer not null,
  requests integer not null,
  requests_by_provider integer not null,
  requests_by_model integer not null,
  requests_by_both integer not null,
  failures integer not null,
  prompt_tokens integer not null,
  completion_tokens integer not null,
  cost_nano_usd integer not null,
  cache_hits integer not null,
  saved_nano_usd integer not null,
  fallback_cost_nano_usd integer not null,
  estimated_rows integer not null,
  unpriced_rows integer not null
);
create index rollups_bucket on rollups (tier, bucket);
create index rollups_admitted on rollups (tier, admitted);

create table rollup_marks (tier integer not null, admitted integer not null, primary key (tier, admitted)) without rowid;

-- Triggers, so that a correction by hand is in the reports too. (Not `insert or ignore`: within a trigger, the conflict clause of the
-- statement outside would replace it.)
create trigger attempts_inserted after insert on attempts begin
  insert into rollup_marks (tier, admitted) select 0, new.admitted - new.admitted % 900000
    where not exists (select 1 from rollup_marks where tier = 0 and admitted = new.admitted - new.admitted % 900000);
end;
create trigger attempts_updated after update on attempts begin
  insert into rollup_marks (tier, admitted) select 0, new.admitted - new.admitted % 900000
    where not exists (select 1 from rollup_marks where tier = 0 and admitted = new.admitted - new.admitted % 900000);
end;
create trigger attempts_deleted after delete on attempts begin
  insert into rollup_marks (tier, admitted) select 0, old.admitted - old.admitted % 900000
    where not exists (select 1 from rollup_marks where tier = 0 and admitted = old.admitted - old.admitted % 900000);
end;

-- `kept_from`: rows admitted before it are gone, their sums stay.
create table ledger_state (name text primary key, value integer not null);
insert into ledger_state (name, value) values ('kept_from', 0);

create table audits (
  id text primary key,
  at integer not null,
  actor text not null,
  action text not null,
  object text not null,
  details text not null
);
create index audits_at on audits (at);
