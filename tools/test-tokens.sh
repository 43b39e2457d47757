#!/usr/bin/env bash
# Runs the tests that are for every kind of token on all of them: SoftHSM, SoftHSM
# behind p11-kit's server, openCryptoki, NSS and a TPM 2.0. Prints a table of the
# results and writes it into README.md, between its markers.
#
# Each token is started by the test that uses it, with daemons and directories of its
# own. openCryptoki takes mounts of its own besides, and so root or user namespaces.
#
# Usage: tools/test-tokens.sh; HSM_TEST_TOKENS chooses fewer kinds, by a list with
# commas, and leaves README.md alone; HSM_TEST_STRESS is how long each is stressed.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh softhsm2-util pkcs11-tool openssl cc p11-kit pgrep \
  pkcsslotd libopencryptoki.so certutil libsoftokn3.so swtpm tpm2-abrmd dbus-daemon libtpm2_pkcs11.so
cli=$(tools/cli.sh)

kinds=${HSM_TEST_TOKENS:-all}
stress=${HSM_TEST_STRESS:-1m}
for name in "${!TF_@}" "${!HSM_@}"; do
  unset "$name"
done
export CGO_ENABLED=1 HSM_TEST_TOKENS=$kinds HSM_TEST_STRESS=$stress
export TF_ACC=1 TF_ACC_TERRAFORM_PATH=$cli TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1

mkdir -p .tools
go build -o .tools/testreport ./tools/testreport
go build -o .tools/tokentable ./tools/tokentable
result=.tools/tokens.json
echo "testing on $kinds with $("$cli" version | head -1) ($cli); each is stressed for $stress"
passed=true
go test -json -count=1 -timeout 90m -p 1 -run '^(TestProfile|TestTokens|TestStress)$' ./internal/tokens ./internal/acceptance |
  tee "$result" | .tools/testreport || passed=false
table=()
if [ "$kinds" = all ]; then
  table=(-write README.md)
fi
.tools/tokentable "${table[@]}" <"$result" || passed=false
$passed
