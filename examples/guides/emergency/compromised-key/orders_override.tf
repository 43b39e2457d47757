# Somebody else may have signed with version 1.
resource "hsm_key_rotation" "orders" {
  revoke = { "1" = "key_compromise" }
}
