#!/usr/bin/env bash
# Makes sure that the named commands exist, by installing the distribution's
# packages that hold them. What cannot be installed is named, with the remedy,
# and the script fails. With everything present it does nothing.
#
# Usage: tools/packages.sh COMMAND...
set -euo pipefail

# The package, in Debian and Ubuntu, that brings a command.
package_of() {
  case $1 in
    softhsm2-util) echo softhsm2 ;;
    pkcs11-tool) echo opensc ;;
    cc) echo gcc libc6-dev ;;
    p11-kit) echo p11-kit p11-kit-modules ;;
    pgrep) echo procps ;;
    openssl | jq | shellcheck) echo "$1" ;;
    *)
      echo "tools/packages.sh: no package is known for the command $1" >&2
      exit 1
      ;;
  esac
}

missing=()
for command in "$@"; do
  if ! command -v "$command" >/dev/null; then
    read -ra names <<<"$(package_of "$command")"
    missing+=("${names[@]}")
  fi
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

remedy() {
  echo "missing: ${missing[*]}" >&2
  echo "$1" >&2
  echo "Install these packages (these are their names in Debian and Ubuntu), then try again." >&2
  exit 1
}

command -v apt-get >/dev/null || remedy "There is no apt-get here to install them with."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || remedy "Installing them takes root, and there is no sudo here."
  as_root=(sudo)
fi

echo "installing from the distribution: ${missing[*]}" >&2
install() {
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
install >/dev/null </dev/null || remedy "apt-get could not install them."
