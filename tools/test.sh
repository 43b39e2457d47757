#!/usr/bin/env bash
# Runs every test: unit, protocol level, and the acceptance tests that drive the
# real CLI against SoftHSM. Whatever they need is installed first or is an error.
#
# Usage: tools/test.sh [ARGUMENTS OF go test]
#
# Without arguments it runs ./..., and first each fuzz target for FUZZTIME (10s). The
# tests come last, so that what is printed ends with their verdict.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh softhsm2-util pkcs11-tool openssl cc p11-kit pgrep ssh-keygen node npm
cli=$(tools/cli.sh)

# The caller's settings of the CLI and of the provider are not the tests' business.
for name in "${!TF_@}" "${!HSM_@}"; do
  unset "$name"
done
export CGO_ENABLED=1 # with no compiler Go would quietly leave the HSM code out
export TF_ACC=1 TF_ACC_TERRAFORM_PATH=$cli TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1
version=$("$cli" version | grep -E '^(Terraform|OpenTofu) v')
case $version in
  OpenTofu*) export TF_ACC_PROVIDER_HOST=registry.opentofu.org ;;
esac

echo "building without cgo"
CGO_ENABLED=0 go build -o /dev/null .

echo "testing with $(go version | cut -d ' ' -f 3), $version ($cli), SoftHSM $(softhsm2-util --version)"
if [ $# -eq 0 ]; then
  go build -o .tools/fuzz ./tools/fuzz
  .tools/fuzz -fresh -time "${FUZZTIME:-10s}"
  set -- ./...
fi
report=()
if [ -n "${CI:-}${V:-}" ]; then
  report=(-v)
fi
go build -o .tools/testreport ./tools/testreport
go test -json -count=1 -timeout 25m "$@" | .tools/testreport "${report[@]}"
