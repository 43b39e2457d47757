#!/bin/sh
# Wraps any key with an AES key that the HSM has too, as mechanism = "AES_KEY_WRAP_PAD"
# takes it (RFC 5649).
#
#   wrap-aes-pad.sh AES-256-KEY.bin KEY >wrapped.b64
#
# KEY is a secret key as it is, or a private key as PKCS#8 in DER:
#   openssl pkcs8 -topk8 -nocrypt -in private.pem -outform DER -out KEY
set -eu

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}
[ $# -eq 2 ] || fail "give two files: AES-256-KEY.bin KEY >wrapped.b64"
[ -s "$2" ] || fail "$2 is missing or empty: give the key to wrap"
if grep -q -e '-----BEGIN' "$2"; then
  fail "$2 is PEM: give DER, as openssl pkcs8 -topk8 -nocrypt -outform DER writes it"
fi

# Openssl fills up a short key with zeros, cuts a long one off, and wraps.
aes=$(od -An -vtx1 "$1" | tr -d ' \n')
[ ${#aes} -eq 64 ] || fail "$1 is no AES-256 key: give a file of 32 bytes, the key as it is"

# The AES key is on a command line here: use a machine on which nobody else is.
wrapped=$(openssl enc -e -id-aes256-wrap-pad -K "$aes" -iv A65959A6 -in "$2" -a -A)
printf %s "$wrapped"
