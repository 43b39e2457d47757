resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
}

# A new version every 90 days. The HSM refuses to sign with the old one from that
# moment on, and verifies with it for another week.
resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = "2160h"
  overlap      = "168h"
}

# For those who sign: the object to use, by the rotation and not by hsm_key, which
# shows the versions as they were before this apply.
output "sign_with" {
  value = hsm_key_rotation.orders.versions[hsm_key_rotation.orders.version].pkcs11_uri
}

# For those who verify: every key that may still verify.
output "verify_with" {
  value = hsm_key_rotation.orders.jwks
}
