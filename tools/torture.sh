#!/usr/bin/env bash
# Runs the long form of the tests that break things on purpose, in several processes at a
# time, and prints the seed and a table of what was done. With GUIDE=1 the table goes into
# the guide too.
#
# Usage: tools/torture.sh [SEED]; without one, a new seed is drawn.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh softhsm2-util pkcs11-tool openssl cc p11-kit pgrep
cli=$(tools/cli.sh)
for name in "${!TF_@}" "${!HSM_@}"; do
  unset "$name"
done
export CGO_ENABLED=1 TF_ACC=1 TF_ACC_TERRAFORM_PATH=$cli TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1
export TORTURE=1 TORTURE_SEED=${1:-$(date +%s)}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "seed $TORTURE_SEED: make torture SEED=$TORTURE_SEED repeats this run"

go test -c -o "$dir/torture.test" ./internal/torture
go test -c -o "$dir/acceptance.test" ./internal/acceptance

# run NAME PACKAGE PATTERN SHARD: most of the time is spent waiting, so several run at a time.
run() {
  (cd "internal/$2" && TORTURE_SHARD=$4 "$dir/$2.test" -test.run "$3" -test.timeout 3h) >"$dir/$1.log" 2>&1 ||
    echo "$1" >>"$dir/failed"
  echo "$1: ended after $SECONDS s"
}
shards=${SHARDS:-6}
for ((i = 1; i <= shards; i++)); do
  run "faults-$i" torture '^TestFaults$' "$i/$shards" &
done
wait
for ((i = 1; i <= 2; i++)); do
  run "kills-$i" torture '^(TestKills|TestPINGuard)$' "$i/2" &
done
run direct torture '^TestKillsOfSoftHSM$' "" &
wait
run rivals acceptance '^TestRivals' ""

# The lines of the shards, added up.
awk -F': ' '/^torture: / { print $2 "|" $3 "|" $0 }' "$dir"/*.log | cut -d'|' -f3 | sort | tee "$dir/table"
if [ -s "$dir/failed" ]; then
  while read -r name; do
    echo "== $name"
    tail -n 100 "$dir/$name.log"
  done <"$dir/failed"
  echo "FAILED: $(tr '\n' ' ' <"$dir/failed") with seed $TORTURE_SEED" >&2
  exit 1
fi
