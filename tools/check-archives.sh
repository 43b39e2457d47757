#!/usr/bin/env bash
# Checks what goreleaser made against what the registry documents: names, contents, checksums,
# signature and manifest, and that each binary is what its name says and needs nothing that a
# user may not have.
#
# Usage: tools/check-archives.sh DIST VERSION PLATFORM...
#
# A platform is as in linux_amd64. The signature is checked with the keys in GNUPGHOME.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(cd "$1" && pwd) version=$2
shift 2

name=terraform-provider-hsm
stem=${name}_$version
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
  printf '✗ %s\n' "$*" >&2
  exit 1
}

# The oldest systems that can load the binaries have this C library: Debian 12, Ubuntu 22.04, RHEL 9.
newest_glibc=2.34

# check_binary PLATFORM FILE looks into one binary.
check_binary() {
  local kind built
  case $1 in
    linux_amd64) kind='ELF 64-bit LSB .*x86-64' ;;
    linux_arm64) kind='ELF 64-bit LSB .*ARM aarch64' ;;
    windows_amd64) kind='PE32\+ executable .*x86-64' ;;
    darwin_amd64) kind='Mach-O 64-bit x86_64 executable' ;;
    darwin_arm64) kind='Mach-O 64-bit arm64 executable' ;;
    *) fail "no check is known for the platform $1" ;;
  esac
  file -b "$2" | grep -Eq "$kind" || fail "$1: the binary is $(file -b "$2")"

  built=$(go version -m "$2")
  for setting in CGO_ENABLED=1 -trimpath=true "GOOS=${1%_*}" "GOARCH=${1#*_}" vcs.modified=false; do
    grep -Fq "build	$setting" <<<"$built" || fail "$1: the binary was not built with $setting"
  done

  case $1 in
    linux_*)
      local glibc
      glibc=$(objdump -T "$2" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
      [ -n "$glibc" ] || fail "$1: the binary is not linked with the C library"
      [ "$(printf '%s\n' "${glibc#GLIBC_}" "$newest_glibc" | sort -V | tail -n 1)" = "$newest_glibc" ] ||
        fail "$1: the binary needs $glibc; build it on a system whose C library is no newer than $newest_glibc"
      ;;
    windows_*)
      local foreign
      foreign=$(objdump -p "$2" | sed -n 's/.*DLL Name: //p' | grep -Evi '^(kernel32|msvcrt|api-ms-win-crt-[a-z0-9-]+)\.dll$' || true)
      [ -z "$foreign" ] || fail "$1: the binary needs $foreign, which Windows may not have"
      ;;
  esac
  printf '• %s: %s, %s\n' "$1" "$(basename "$2")" "$(file -b "$2" | cut -d , -f 1,2)"
}

# PLATFORM: the archive holds the binary, the licence, and nothing else.
check_archive() {
  local zip=$dist/${stem}_$1.zip binary=${name}_v$version
  [[ $1 != windows_* ]] || binary=$binary.exe
  [ -f "$zip" ] || fail "there is no $(basename "$zip")"
  diff <(unzip -Z1 "$zip" | sort) <(printf '%s\n' LICENSE "$binary" | sort) || fail "$(basename "$zip") holds something else"
  unzip -q "$zip" -d "$dir/$1"
  [ -x "$dir/$1/$binary" ] || fail "$1: the binary is not executable"
  check_binary "$1" "$dir/$1/$binary"
  jq -e --arg version "v$version" '.bomFormat == "CycloneDX" and .metadata.component.version == $version and
    ([.components[].name] | index("github.com/miekg/pkcs11") != null)' "$dist/${stem}_$1.cdx.json" >/dev/null ||
    fail "$1: the bill of materials does not tell what the binary is made of"
}

for platform in "$@"; do
  check_archive "$platform"
done

# The registry takes the protocol from the manifest: it has to be the one that is served.
manifest=${stem}_manifest.json
jq -e '.version == 1 and .metadata.protocol_versions == ["6.0"]' terraform-registry-manifest.json >/dev/null ||
  fail "terraform-registry-manifest.json does not name protocol 6.0, which main.go serves"

# Every file of the release is in the checksums, and none besides.
expected=$manifest
for platform in "$@"; do
  expected+=$'\n'${stem}_$platform.zip$'\n'${stem}_$platform.cdx.json
done
diff <(sort <<<"$expected") <(awk '{ print $2 }' "$dist/${stem}_SHA256SUMS" | sort) || fail "SHA256SUMS lists other files"
cp "$dist/${stem}_"*.zip "$dist/${stem}_"*.json "$dir"
cp terraform-registry-manifest.json "$dir/$manifest" # goreleaser uploads it from where it is
(cd "$dir" && sha256sum --check --quiet --strict "$dist/${stem}_SHA256SUMS") || fail "SHA256SUMS is wrong"
gpg --batch --quiet --verify "$dist/${stem}_SHA256SUMS.sig" "$dist/${stem}_SHA256SUMS" 2>"$dir/gpg" || {
  cat "$dir/gpg" >&2
  fail "the signature of SHA256SUMS is wrong"
}
printf '• %s files in SHA256SUMS, signed\n' "$(wc -l <"$dist/${stem}_SHA256SUMS")"
