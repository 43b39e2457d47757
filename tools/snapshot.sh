#!/usr/bin/env bash
# Builds a release of what is committed, without publishing anything: the archives for Linux
# and Windows, twice and in different places, which has to give the same bytes. Then it checks
# them, and has the CLI install the one for this machine and run examples/quickstart with it on
# a throw-away token. What it made stays in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/packages.sh git cc x86_64-linux-gnu-gcc aarch64-linux-gnu-gcc x86_64-w64-mingw32-gcc \
  file gpg jq objdump softhsm2-util unzip
cli=$(tools/cli.sh)
goreleaser=$(tools/goreleaser.sh)
[ -z "$(git status --porcelain)" ] || echo "What is not committed is not built." >&2

dir=$(mktemp -d "${TMPDIR:-/tmp}/hsm-snapshot.XXXXXX")
trap 'gpgconf --homedir "$dir/keys" --kill all 2>/dev/null || true; rm -rf "$dir"' EXIT
for setting in "${!TF_@}" "${!HSM_@}"; do
  unset "$setting"
done

# A key of its own signs, in place of the one that is known to the registry.
export GNUPGHOME=$dir/keys
mkdir -m 700 "$GNUPGHOME"
export GPG_PASSPHRASE=snapshot
gpg --batch --quiet --pinentry-mode loopback --passphrase "$GPG_PASSPHRASE" \
  --quick-generate-key "Snapshot <snapshot@example.org>" rsa3072 sign never 2>/dev/null
GPG_FINGERPRINT=$(gpg --batch --with-colons --list-secret-keys | awk -F : '/^fpr:/ { print $10; exit }')
export GPG_FINGERPRINT

# build PLACE makes a release in a clone, with nothing compiled before.
build() {
  echo "building in $1"
  git clone --quiet --no-hardlinks . "$1"
  (cd "$1" && GOCACHE=$1-cache GOFLAGS='' PATH=$goreleaser:$PATH goreleaser release --snapshot --clean --skip=publish >"$1.log" 2>&1) || {
    cat "$1.log" >&2
    return 1
  }
  rm -rf "$1-cache"
}
build "$dir/one"
build "$dir/another/place"

version=$(jq -er .version "$dir/one/dist/metadata.json")
platforms=(linux_amd64 linux_arm64 windows_amd64)
tools/check-archives.sh "$dir/one/dist" "$version" "${platforms[@]}"
sums=terraform-provider-hsm_${version}_SHA256SUMS
diff "$dir/one/dist/$sums" "$dir/another/place/dist/$sums" || {
  echo "The same commit gave other bytes the second time." >&2
  exit 1
}
echo "• built twice, with the same checksums"

# --- as a user has it --------------------------------------------------------

platform=$(go env GOOS)_$(go env GOARCH)
case $("$cli" version | head -n 1) in
  OpenTofu*) host=registry.opentofu.org ;;
  *) host=registry.terraform.io ;;
esac
mkdir -p "$dir/mirror/$host/keystead/hsm" "$dir/quickstart" "$dir/tokens"
cp "$dir/one/dist/terraform-provider-hsm_${version}_$platform.zip" "$dir/mirror/$host/keystead/hsm/"
printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$dir/mirror" >"$dir/cli.tfrc"
export TF_CLI_CONFIG_FILE=$dir/cli.tfrc CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_INPUT=0 TF_CLI_ARGS=-no-color

export HSM_PIN=1234 SOFTHSM2_CONF=$dir/softhsm2.conf
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label snapshot --pin "$HSM_PIN" --so-pin 5678 >/dev/null
export TF_VAR_token_label=snapshot
[ -z "${SOFTHSM2_MODULE:-}" ] || export TF_VAR_module_path=$SOFTHSM2_MODULE

# Only who names a snapshot gets it.
sed "s|source = \"keystead/hsm\"|&\n      version = \"$version\"|" examples/quickstart/main.tf >"$dir/quickstart/main.tf"
terraform() { "$cli" "-chdir=$dir/quickstart" "$@" >"$dir/log" 2>&1 || { cat "$dir/log" >&2 && return 1; }; }
terraform init
grep -o "Installed keystead/hsm v$version" "$dir/log" | sed 's/^/• /'
terraform apply -auto-approve
grep -o 'Apply complete! .*' "$dir/log" | sed 's/^/• /'
terraform plan -detailed-exitcode
grep -o 'No changes\.' "$dir/log" | sed 's/^/• /'

rm -rf dist
mv "$dir/one/dist" dist
echo "dist/ holds the archives of $version."
