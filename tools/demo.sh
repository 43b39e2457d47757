#!/usr/bin/env bash
# Shows the provider's main job against a real PKCS#11 module: keys made by
# `apply`, used by programs that know nothing of Terraform, and rotated with an
# overlap that the HSM itself enforces. Everything is in a temporary directory,
# which is removed at the end, on failure and on interruption too.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS

tools/packages.sh softhsm2-util pkcs11-tool openssl jq cc
cli=$(tools/cli.sh)
ready=$SECONDS

dir=$(mktemp -d "${TMPDIR:-/tmp}/hsm-demo.XXXXXX")
finish() {
  local status=$?
  rm -rf "$dir"
  if [ "$status" -eq 0 ]; then
    said "removed $dir with the token and the state" "nothing is left behind"
    echo "The demonstration took $((SECONDS - ready)) s (and making sure of the tools $((ready - started)) s)."
  else
    echo "The demonstration FAILED; $dir has been removed." >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# said prints one line: what was done, and what came out.
said() { printf '• %s → %s\n' "$1" "$2"; }

# quietly runs a command and shows its output only if it fails.
quietly() {
  "$@" >"$dir/log" 2>&1 || fail "$*"
}

# fail says what went wrong, with what the last command printed.
fail() {
  printf '✗ %s\n' "$1" >&2
  [ ! -s "$dir/log" ] || sed 's/^/    /' "$dir/log" >&2
  exit 1
}

# look_for sets result to what first matches in the last command's output.
look_for() { result=$(grep -m 1 -oE "$1" "$dir/log") || fail "found no \"$1\" in the output"; }

softhsm_module() {
  local path
  for path in "${SOFTHSM2_MODULE:-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so \
    /usr/lib64/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so; do
    if [ -n "$path" ] && [ -e "$path" ]; then
      echo "$path"
      return
    fi
  done
  fail "libsofthsm2.so was not found: install softhsm2, or set SOFTHSM2_MODULE to its path"
}

# The caller's settings of the CLI and of the provider stay out of this.
for setting in "${!TF_@}" "${!HSM_@}"; do
  unset "$setting"
done

# --- a token ---------------------------------------------------------------

module=$(softhsm_module)
label=demo
export HSM_PIN=1234 SOFTHSM2_CONF=$dir/softhsm2.conf
mkdir "$dir/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir/tokens" >"$SOFTHSM2_CONF"
quietly softhsm2-util --init-token --free --label "$label" --pin "$HSM_PIN" --so-pin 5678
quietly softhsm2-util --show-slots
look_for 'Serial number: +[0-9a-f]{4,}'
said "made a throw-away SoftHSM token in $dir" "label $label, serial ${result##* }"

# --- the provider, in a mirror of its own ----------------------------------

version=0.1.0
export CHECKPOINT_DISABLE=1
cli_version=$("$cli" version | grep -E '^(Terraform|OpenTofu) v')
case $cli_version in
  OpenTofu*) host=registry.opentofu.org ;;
  *) host=registry.terraform.io ;;
esac
binary=$dir/mirror/$host/keystead/hsm/$version/$(go env GOOS)_$(go env GOARCH)/terraform-provider-hsm_v$version
CGO_ENABLED=1 quietly go build -ldflags "-X main.version=$version" -o "$binary" .
said "built the provider into a local filesystem mirror" "$(basename "$binary"), $(($(wc -c <"$binary") / 1000000)) MB"

# --- keys, by terraform ----------------------------------------------------

cat >"$dir/cli.tfrc" <<CONFIG
provider_installation {
  filesystem_mirror {
    path = "$dir/mirror"
  }
}
CONFIG
export TF_CLI_CONFIG_FILE=$dir/cli.tfrc TF_IN_AUTOMATION=1 TF_INPUT=0 TF_CLI_ARGS=-no-color
export TF_VAR_module_path=$module TF_VAR_token_label=$label
mkdir "$dir/quickstart"
cp examples/quickstart/*.tf "$dir/quickstart"
terraform() { "$cli" "-chdir=$dir/quickstart" "$@"; }
output() { terraform output -json "$1" | jq -er "$2"; } # NAME JQ-FILTER
name=$(basename "$cli")

quietly terraform init
look_for 'Installed keystead/hsm v[0-9.]+'
said "$name init with examples/quickstart ($cli_version)" "$result"

quietly terraform apply -auto-approve
look_for 'Apply complete! Resources: .*'
said "$name apply: keys of EC P-256, secp256k1, Ed25519 and AES-256, a rotation on the first" \
  "$result"

# --- the key at work, by programs that know nothing of Terraform -----------

echo "Pay 100 to Alice." >"$dir/invoice.txt"
openssl dgst -sha256 -binary -out "$dir/digest" "$dir/invoice.txt"
output public_keys .invoices >"$dir/version1.pem"
id1=$(output invoices_versions '.["1"].cka_id')

hsm() { pkcs11-tool --module "$module" --token-label "$label" --login --pin env:HSM_PIN --mechanism ECDSA --signature-format openssl "$@"; }
sign() { hsm --sign --id "$1" --input-file "$dir/digest" --output-file "$2"; }               # CKA_ID SIGNATURE
verify_in_hsm() { hsm --verify --id "$1" --input-file "$dir/digest" --signature-file "$2"; } # CKA_ID SIGNATURE
verify() { openssl dgst -sha256 -verify "$1" -signature "$2" "$dir/invoice.txt"; }           # PEM SIGNATURE

quietly sign "$id1" "$dir/signature1"
said "signed an invoice with version 1 in the HSM (pkcs11-tool, CKM_ECDSA, id $id1)" "$(wc -c <"$dir/signature1") bytes"

quietly verify "$dir/version1.pem" "$dir/signature1"
look_for 'Verified OK'
said "verified it outside with public_key_pem from the state (openssl)" "$result"

# --- rotation --------------------------------------------------------------

quietly terraform apply -auto-approve -replace=hsm_key_rotation.invoices
look_for 'Apply complete! Resources: .*'
said "$name apply -replace=hsm_key_rotation.invoices, which is \"rotate now\"" "$result"

versions=$(output invoices_versions \
  'to_entries | map("version \(.key) is \(.value.state)" + if .value.process_until then " and processes until \(.value.process_until)" else "" end) | join(", ")')
said "asked the state for the versions" "$versions"

if sign "$id1" "$dir/refused" >"$dir/log" 2>&1; then
  fail "the HSM signed with version 1, which it should have refused"
fi
look_for 'C_Sign.*CKR_KEY_FUNCTION_NOT_PERMITTED'
said "tried to sign with version 1" "the HSM refuses: $result"

quietly verify "$dir/version1.pem" "$dir/signature1"
look_for 'Verified OK'
quietly verify_in_hsm "$id1" "$dir/signature1"
look_for 'Signature is valid'
said "verified version 1's signature again, as the overlap allows" "openssl: Verified OK; in the HSM: $result"

output public_keys .invoices >"$dir/version2.pem"
id2=$(output invoices_versions '.["2"].cka_id')
quietly sign "$id2" "$dir/signature2"
quietly verify "$dir/version2.pem" "$dir/signature2"
look_for 'Verified OK'
said "signed with version 2 in the HSM and verified outside (id $id2)" "$result"
if verify "$dir/version1.pem" "$dir/signature2" >"$dir/log" 2>&1; then
  fail "version 2 has the key of version 1"
fi

# --- and the key remembers -------------------------------------------------

quietly "$binary" history -module-path "$module" -token-label "$label" key/invoices
grep -qE "activated +version 2 " "$dir/log" || fail "the history does not tell that version 2 was activated"
look_for '[0-9]+ entries'
said "asked the token what was done to the key" "$result, the last of them: $(tail -n 1 "$dir/log" | tr -s ' ' | cut -d ' ' -f 3-)"

# --- and nothing is left to do ---------------------------------------------

quietly terraform plan -detailed-exitcode
look_for 'No changes\..*'
said "$name plan -detailed-exitcode" "$result"
