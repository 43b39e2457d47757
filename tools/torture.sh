#!/usr/bin/env bash
# Runs the long form of the tests that break things on purpose, in several processes at a
# time, and prints the seed and a table of what was done, as it is in the guide
# (templates/guides/reliability.md).
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
go test -c -o "$dir/audit.test" ./internal/audit

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
  run "kills-$i" torture '^(TestKills|TestPINGuard|TestDelays)$' "$i/2" &
  run "audit-$i" torture '^TestKillsUnderAudit$' "$i/2" &
done
run writers audit '^TestKilled$' "" &
run direct torture '^TestKillsOfSoftHSM$' "" &
run rivals acceptance '^TestRivals' "" &
wait

# The lines that the tests print, those of one class added up number by number.
echo
echo "Seed $TORTURE_SEED, $(date -u +%F), $("$cli" version | head -n 1), SoftHSM $(softhsm2-util --version), $SECONDS s:"
echo
echo '| what was broken | what was done, and what came of it |'
echo '| --- | --- |'
sed -n 's/^torture: //p' "$dir"/*.log | awk -F': ' '
  {
    class = $1; text = substr($0, length(class) + 3); n = 0
    if (sub(/VIOLATIONS$/, "", text)) broken[class] = 1
    sub(/0 violations$/, "", text)
    while (match(text, /[0-9]+/)) {
      n++
      if (!(class in lines)) between[class, n] = substr(text, 1, RSTART - 1)
      sum[class, n] += substr(text, RSTART, RLENGTH)
      text = substr(text, RSTART + RLENGTH)
    }
    end[class] = text
    if (!(class in lines)) order[++classes] = class
    lines[class] = n
  }
  END {
    for (i = 1; i <= classes; i++) {
      class = order[i]; row = ""
      for (j = 1; j <= lines[class]; j++) row = row between[class, j] sum[class, j]
      print "| " class " | " row end[class] (class in broken ? "VIOLATIONS" : "0 violations") " |"
    }
  }'
if [ -s "$dir/failed" ]; then
  while read -r name; do
    echo "== $name"
    tail -n 100 "$dir/$name.log"
  done <"$dir/failed"
  echo "FAILED: $(tr '\n' ' ' <"$dir/failed") with seed $TORTURE_SEED" >&2
  exit 1
fi
