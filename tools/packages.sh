#!/usr/bin/env bash
# Makes sure that the named commands and libraries (NAME.so) exist, by installing the
# distribution's packages that hold them. What cannot be installed is named, with the remedy,
# and the script fails. With everything present it does nothing.
#
# Usage: tools/packages.sh NAME...
set -euo pipefail

# The package, in Debian and Ubuntu, that brings a command or a library.
package_of() {
  case $1 in
    softhsm2-util) echo softhsm2 ;;
    pkcs11-tool) echo opensc ;;
    cc) echo gcc libc6-dev ;;
    x86_64-linux-gnu-gcc) echo gcc-x86-64-linux-gnu libc6-dev-amd64-cross ;;
    aarch64-linux-gnu-gcc) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
    x86_64-w64-mingw32-gcc) echo gcc-mingw-w64-x86-64 ;;
    p11-kit) echo p11-kit p11-kit-modules ;;
    pgrep) echo procps ;;
    gnuplot) echo gnuplot-nox ;;
    pkcsslotd) echo opencryptoki ;;
    libopencryptoki.so) echo opencryptoki ;;
    certutil) echo libnss3-tools ;;
    libsoftokn3.so) echo libnss3 ;;
    swtpm) echo swtpm swtpm-tools ;;
    tpm2-abrmd) echo tpm2-abrmd libtss2-tcti-tabrmd0 libtss2-tcti-swtpm0 ;;
    dbus-daemon) echo dbus ;;
    libtpm2_pkcs11.so) echo libtpm2-pkcs11-1 ;;
    gpg) echo gpg gpg-agent ;;
    objdump) echo binutils ;;
    node) echo nodejs ;;
    ssh-keygen) echo openssh-client ;;
    file | git | jq | npm | openssl | shellcheck | unzip) echo "$1" ;;
    *)
      echo "tools/packages.sh: no package is known for $1" >&2
      exit 1
      ;;
  esac
}

exists() {
  case $1 in
    *.so) [ -n "$(find /usr/lib /usr/lib64 -name "$1" -print -quit 2>/dev/null)" ] ;;
    *) PATH=$PATH:/usr/sbin command -v "$1" >/dev/null ;; # daemons are where only root looks
  esac
}

missing=()
for name in "$@"; do
  if ! exists "$name"; then
    read -ra names <<<"$(package_of "$name")"
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
