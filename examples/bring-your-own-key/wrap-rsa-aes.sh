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

aes=$(mktemp) # the AES key; below it is on a command line too: use a machine on which nobody else is
trap 'rm -f "$aes"' EXIT
openssl rand -out "$aes" 32
{
  openssl pkeyutl -encrypt -pubin -inkey "$1" -in "$aes" \
    -pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash"
  openssl enc -e -id-aes256-wrap-pad -K "$(od -An -vtx1 "$aes" | tr -d ' \n')" -iv A65959A6 -in "$2"
} | openssl base64 -A
