#!/bin/sh
# Makes the passwords of deploy/compose.yaml, once, in deploy/.env: readable by you only, and in no repository. Letters and digits only, because
# two of them stand in URLs.
set -eu
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo "deploy/.env is there already; it stays as it is." >&2
  exit 0
fi

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
{
  echo "TOLLGATE_MASTER_KEY=sk-master-$(random)"
  echo "REDIS_PASSWORD=$(random)"
  echo "POSTGRES_PASSWORD=$(random)"
  echo "GRAFANA_PASSWORD=$(random)"
} > .env.new
mv .env.new .env
echo "Passwords are in deploy/.env." >&2
