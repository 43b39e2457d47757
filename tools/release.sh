#!/usr/bin/env bash
# Makes the release of the tag that is checked out, in .github/workflows/release.yml.
#
# Usage: tools/release.sh build    the archives that this system can build, into dist/
#        tools/release.sh publish  all of them, those from macOS lying in bin/darwin/
#
# What is published stays a draft, which nobody sees, until it was checked.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$(git describe --tags --exact-match)
version=${tag#v}
goreleaser=$(tools/goreleaser.sh)
export PATH=$goreleaser:$PATH GOFLAGS=

case ${1:-} in
  build) goreleaser release --clean --skip=publish,sign ;;
  publish)
    tools/packages.sh x86_64-linux-gnu-gcc aarch64-linux-gnu-gcc x86_64-w64-mingw32-gcc file gpg jq objdump unzip
    notes=$(mktemp)
    trap 'rm -f "$notes"' EXIT
    # The section of this version, which has to have its date by now.
    awk -v title="## $version (" 'index($0, "## ") == 1 { on = index($0, title) == 1 && !/Unreleased/ } on' CHANGELOG.md | tail -n +2 >"$notes"
    grep -q . "$notes" || {
      echo "CHANGELOG.md has no section \"## $version (DATE)\": write it, and move the tag." >&2
      exit 1
    }
    : "${GPG_PASSPHRASE:?is not set: the signing key has one}"
    GPG_FINGERPRINT=$(gpg --batch --with-colons --list-secret-keys | awk -F : '/^fpr:/ { print $10; exit }')
    export GPG_FINGERPRINT
    goreleaser release --clean --release-notes "$notes"
    cp bin/darwin/* dist/
    tools/check-archives.sh dist "$version" linux_amd64 linux_arm64 windows_amd64 darwin_amd64 darwin_arm64
    gh release edit "$tag" --draft=false
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
