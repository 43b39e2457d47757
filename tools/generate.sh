#!/usr/bin/env bash
# Writes docs/ from the provider's schema, templates/ and examples/, and checks
# the result and the examples' format. It needs no HSM, and no CLI but for `fmt`.
set -euo pipefail
cd "$(dirname "$0")/.."

schema=$(mktemp)
log=$(mktemp)
trap 'rm -f "$schema" "$log"' EXIT
CGO_ENABLED=0 go run ./tools/schema >"$schema"

tfplugindocs() {
  go -C tools/docs tool tfplugindocs "$1" --provider-dir "$PWD" --provider-name hsm --providers-schema "$schema" >"$log" 2>&1 || {
    grep -v "\[DEBUG\]" "$log" >&2
    return 1
  }
}
tfplugindocs generate
tfplugindocs validate
echo "wrote $(find docs -name '*.md' | wc -l) pages below docs/"

cli=$(tools/cli.sh)
if ! TF_CLI_CONFIG_FILE=/dev/null "$cli" fmt -check -recursive -diff examples; then
  echo "The examples are not formatted: run \`make fmt\`." >&2
  exit 1
fi
