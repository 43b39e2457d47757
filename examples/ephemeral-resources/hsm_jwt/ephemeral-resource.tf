resource "hsm_key" "deployer" {
  name      = "deployer"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "deployer" {
  key_id       = hsm_key.deployer.id
  rotate_every = "2160h"
  overlap      = "1h"
}

# Signed by the current version, each time anew, and in no plan and no state. Hand it to
# the provider that takes a token: token = ephemeral.hsm_jwt.deployer.token
# With version the plan of a rotation waits for the new version, also when the old one
# was revoked or lost.
ephemeral "hsm_jwt" "deployer" {
  key_id    = hsm_key_rotation.deployer.key_id
  version   = hsm_key_rotation.deployer.version
  valid_for = "10m"
  claims = jsonencode({
    iss = "https://terraform.example"
    sub = "deployer"
    aud = "https://vault.example"
  })
}

# What the other side verifies the token with.
output "deployer_jwks" {
  value = hsm_key_rotation.deployer.jwks
}
