# The public key of a new version is published for a day before anything is signed with
# it: for verifiers that fetch the key set only once a day.
resource "hsm_key" "tokens" {
  name      = "tokens"
  algorithm = "ED25519"
}

resource "hsm_key_rotation" "tokens" {
  key_id           = hsm_key.tokens.id
  rotate_every     = "720h"
  activation_delay = "24h"
  overlap          = "72h"
  retire_action    = "destroy" # when the overlap has ended; the public key stays
}

output "tokens_jwks" {
  value = hsm_key_rotation.tokens.jwks
}
