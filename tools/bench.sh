#!/usr/bin/env bash
# Measures how quick the provider is, against baselines that are measured in turns with it,
# and prints a table. The figures also go into .tools/bench-full.csv, and into the guide
# (templates/guides/performance.md), where each row says when it was measured.
#
# Usage: tools/bench.sh full [ROWS]    all rows, or those that match: plan, plan/1000, 'sign-.*/1'
#        tools/bench.sh quick [ROWS]   small rows, and failure where a limit is exceeded
set -euo pipefail
cd "$(dirname "$0")/.."

which=$1 rows=${2:-}
pattern='^TestFigures$'
if [ -n "$rows" ]; then
  pattern+="/$(sed -E 's,[^/]+,^(&)$,g' <<<"$rows")"
fi
tools/packages.sh softhsm2-util cc
cli=$(tools/cli.sh)
for name in "${!TF_@}" "${!HSM_@}"; do
  unset "$name"
done
export CGO_ENABLED=1 TF_ACC_TERRAFORM_PATH=$cli CHECKPOINT_DISABLE=1
export BENCH=$which BENCH_CSV=$PWD/.tools/bench-$which.csv BENCH_GUIDE=
mkdir -p .tools
if [ "$which" = full ]; then
  BENCH_GUIDE=$PWD/templates/guides/performance.md
fi
go test -count=1 -timeout 180m -run "$pattern" ./internal/performance -v | sed -uE '/^ *(=== |--- PASS|PASS$)/d'
