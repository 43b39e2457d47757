#!/bin/sh
# Wraps any key for an RSA key of the HSM, as mechanism = "RSA_AES_KEY_WRAP" takes it: a
# fresh AES key, encrypted with RSA-OAEP, and behind it the key, wrapped with the AES key.
#
#   wrap-rsa-aes.sh WRAPPING-KEY.pem KEY >wrapped.b64
#
# KEY is a secret key as it is, or a private key as PKCS#8 in DER:
#   openssl pkcs8 -topk8 -nocrypt -in private.pem -outform DER -out KEY
# The hash is SHA-256. SoftHSM has OAEP with SHA-1 only: HASH=sha1.
set -eu
hash=${HASH:-sha256}

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}
[ $# -eq 2 ] || fail "give two files: WRAPPING-KEY.pem KEY >wrapped.b64"
openssl rsa -pubin -in "$1" -noout 2>/dev/null ||
  fail "$1 is no RSA public key: give the public_key_pem of the wrapping key"
[ -s "$2" ] || fail "$2 is missing or empty: give the key to wrap"
if grep -q -e '-----BEGIN' "$2"; then
  fail "$2 is PEM: give DER, as openssl pkcs8 -topk8 -nocrypt -outform DER writes it"
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
openssl rand -out "$dir/aes" 32
openssl pkeyutl -encrypt -pubin -inkey "$1" -in "$dir/aes" -out "$dir/wrapped" \
  -pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash"

# Openssl fills up a short key with zeros, and wraps.
aes=$(od -An -vtx1 "$dir/aes" | tr -d ' \n')
[ ${#aes} -eq 64 ] || fail "there is no AES key: see what openssl rand says above"
# The AES key is on a command line here: use a machine on which nobody else is.
openssl enc -e -id-aes256-wrap-pad -K "$aes" -iv A65959A6 -in "$2" >>"$dir/wrapped"
openssl base64 -A -in "$dir/wrapped"
