#!/usr/bin/env bash
# Measures for the guide templates/guides/scale.md, one of two things:
#
#   tools/bench-scale.sh sweep SIZE...  how commands grow with the number of keys:
#                                       assets/scale.csv, and its plot assets/scale.svg
#   tools/bench-scale.sh latency KEYS   what the latency of an HSM in the network does:
#                                       assets/latency.csv, and the table in the guide
#   tools/bench-scale.sh show           the plot and the table again, of what was measured
#
# The first line of each CSV file says on which machine that was.
set -euo pipefail
cd "$(dirname "$0")/.."

guide=templates/guides/scale.md

machine() {
  printf '# %s × %s, %s, SoftHSM %s, load %s, %s\n' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "$("$cli" version | head -n 1)" "$(softhsm2-util --version)" "$(cut -d ' ' -f 1 /proc/loadavg)" "$(date -u +%F)"
}

# measure TEST FILE VARIABLE=VALUE...: the file is replaced when all went well.
measure() {
  tools/packages.sh softhsm2-util pkcs11-tool cc
  cli=$(tools/cli.sh)
  for name in "${!TF_@}" "${!HSM_@}"; do
    unset "$name"
  done
  local test=$1 file=$2 new
  new=$(mktemp -d)
  machine >"$new/machine"
  env CGO_ENABLED=1 TF_ACC=1 TF_ACC_TERRAFORM_PATH="$cli" TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 "${@:3}" "HSM_BENCH_FILE=$new/csv" \
    go test -count=1 -timeout 6h -run "^$test\$" ./internal/acceptance
  cat "$new/machine" "$new/csv" >"$file"
  rm -r "$new"
}

# table prints assets/latency.csv in Markdown. What a command takes without latency is what
# Terraform and the token behind the simulation need themselves; what it calls for one key
# it calls for many, and in sequence.
table() {
  sed -n '1s/^# /\nMeasured on /p' assets/latency.csv
  awk -F, '
    /^#/ || $1 == "command" { next }
    $2 == 1 { first[$1] = $5; next }
    $3 == 0 { floor[$1] = $6; calls[$1] = $5; keys = $2; next }
    !printed++ {
      printf "\n%d keys, with `-parallelism=32`. For the first key an apply makes %d calls and a plan without changes %d; for each of the others %.0f and %.0f. ", \
        keys, first["apply"], first["plan"], (calls["apply"] - first["apply"]) / (keys - 1), (calls["plan"] - first["plan"]) / (keys - 1)
      printf "When calls take no time the apply takes %.1f s and the plan %.1f s.\n\n", floor["apply"], floor["plan"]
      print "| a call takes | sessions | command | calls | bound | measured |"
      print "| --- | --- | --- | --- | --- | --- |"
    }
    {
      bound = (first[$1] + ($5 - first[$1]) / $4) * $3 / 1000 + floor[$1]
      printf "| %d ms | %d | %s | %d | %.1f s | %.1f s |\n", $3, $4, $1, $5, bound, $6
    }
    END { print "" }' assets/latency.csv
}

show() {
  if [ -s assets/latency.csv ]; then
    table >.tools/latency.md
    sed -i -e '/^<!-- latency:/,/^<!-- \/latency -->/{//!d}' -e '/^<!-- latency:/r .tools/latency.md' "$guide"
  fi
  if [ -s assets/scale.csv ]; then
    tools/packages.sh gnuplot
    gnuplot tools/scale.gnuplot
  fi
}

mkdir -p assets .tools
case ${1:-} in
  sweep) measure TestSweep assets/scale.csv "HSM_BENCH_SIZES=${*:2}" ;;
  latency) measure TestLatency assets/latency.csv "HSM_BENCH_KEYS=$2" ;;
  show) ;;
  *)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac
show
