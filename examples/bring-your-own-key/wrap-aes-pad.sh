#!/bin/sh
# Wraps any key with an AES key that the HSM has too, as mechanism = "AES_KEY_WRAP_PAD"
# takes it (RFC 5649).
#
#   wrap-aes-pad.sh AES-256-KEY.bin KEY >wrapped.b64
#
# KEY is a secret key as it is, or a private key as PKCS#8 in DER:
#   openssl pkcs8 -topk8 -nocrypt -in private.pem -outform DER -out KEY
set -eu

# The AES key is on a command line here: use a machine on which nobody else is.
openssl enc -e -id-aes256-wrap-pad -K "$(od -An -vtx1 "$1" | tr -d ' \n')" -iv A65959A6 -in "$2" |
  openssl base64 -A
