-- Why an attempt was made: retries, fallbacks, hedges and continued streams are told apart.

alter table attempts add column purpose text;
