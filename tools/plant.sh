#!/usr/bin/env bash
# Plants each of the mistakes in tools/plant in a copy of the project, and fails unless
# every test that is said to catch it does: a test that nobody has seen fail proves
# nothing. The copy is of what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh softhsm2-util pkcs11-tool openssl cc p11-kit pgrep
cli=$(tools/cli.sh)
for name in "${!TF_@}" "${!HSM_@}"; do
  unset "$name"
done
export CGO_ENABLED=1 TF_ACC=1 TF_ACC_TERRAFORM_PATH=$cli TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1
export TORTURE_SEED=1 # what a test draws must not decide whether it catches anything

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
caught=0 missed=0
for patch in tools/plant/*.patch; do
  name=$(basename "$patch" .patch)
  rm -rf "$dir/copy"
  mkdir "$dir/copy"
  git archive HEAD | tar -x -C "$dir/copy"
  patch -s -p1 -d "$dir/copy" <"$patch" || {
    echo "tools/plant.sh: $name no longer fits the code: plant it anew" >&2
    exit 1
  }
  while read -r package pattern; do
    if (cd "$dir/copy" && go test -count=1 -run "$pattern" "$package") >"$dir/log" 2>&1; then
      echo "$name: NOT caught by $package $pattern"
      missed=$((missed + 1))
    elif ! grep -q -- '--- FAIL' "$dir/log"; then
      echo "$name: $package does not get as far as a test:"
      cat "$dir/log"
      missed=$((missed + 1))
    else
      echo "$name: caught by $package $pattern"
      caught=$((caught + 1))
    fi
  done < <(sed -n 's/^Caught by: //p' "$patch")
done
echo "planted: $caught times caught, $missed times missed"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
