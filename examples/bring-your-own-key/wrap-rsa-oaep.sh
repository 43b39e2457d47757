#!/bin/sh
# Wraps a secret key for an RSA key of the HSM, as mechanism = "RSA_OAEP" takes it.
#
#   wrap-rsa-oaep.sh WRAPPING-KEY.pem SECRET-KEY.bin >wrapped.b64
#
# The hash is SHA-256. SoftHSM has OAEP with SHA-1 only: HASH=sha1.
set -eu
hash=${HASH:-sha256}

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}
[ $# -eq 2 ] || fail "give two files: WRAPPING-KEY.pem SECRET-KEY.bin >wrapped.b64"
openssl rsa -pubin -in "$1" -noout 2>/dev/null ||
  fail "$1 is no RSA public key: give the public_key_pem of the wrapping key"
[ -s "$2" ] || fail "$2 is missing or empty: give the secret key to wrap"
if grep -q -e '-----BEGIN' "$2" || openssl pkey -inform DER -in "$2" -passin pass: -noout 2>/dev/null; then
  fail "$2 is no secret key as it is: give its bytes; for a private key take wrap-rsa-aes.sh"
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
openssl pkeyutl -encrypt -pubin -inkey "$1" -in "$2" -out "$dir/wrapped" \
  -pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash" ||
  fail "$2 was not wrapped: give a secret key that the RSA key has room for, or take wrap-rsa-aes.sh"
openssl base64 -A -in "$dir/wrapped"
