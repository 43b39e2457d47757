resource "hsm_key" "invoices" {
  name      = "invoices"
  algorithm = "EC_P256"
}

# A new version every 90 days. For a week after that, the replaced version still
# verifies; it stops signing at once.
resource "hsm_key_rotation" "invoices" {
  key_id       = hsm_key.invoices.id
  rotate_every = "2160h"
  overlap      = "168h"
}

# Whoever needs the current key asks the rotation, not the key: hsm_key shows the
# versions as they were before this apply.
output "invoices_public_key" {
  value = hsm_key_rotation.invoices.public_key_pem
}

# Every key that may still verify, for those who check signatures.
output "invoices_jwks" {
  value = hsm_key_rotation.invoices.jwks
}
