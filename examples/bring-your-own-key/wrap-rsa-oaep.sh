#!/bin/sh
# Wraps a secret key for an RSA key of the HSM, as mechanism = "RSA_OAEP" takes it.
#
#   wrap-rsa-oaep.sh WRAPPING-KEY.pem SECRET-KEY.bin >wrapped.b64
#
# The hash is SHA-256. SoftHSM has OAEP with SHA-1 only: HASH=sha1.
set -eu
hash=${HASH:-sha256}

openssl pkeyutl -encrypt -pubin -inkey "$1" -in "$2" \
  -pkeyopt rsa_padding_mode:oaep -pkeyopt "rsa_oaep_md:$hash" -pkeyopt "rsa_mgf1_md:$hash" |
  openssl base64 -A
