# Taken care of from here on. The first rotation of a key claims the version that is
# there and makes none; what follows it is generated on the token.
resource "hsm_key_rotation" "ledger" {
  key_id       = hsm_key.ledger.id
  rotate_every = "2160h"
  overlap      = "720h"
}
