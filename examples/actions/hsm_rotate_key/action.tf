# Rotates the key now:
#   terraform apply -invoke=action.hsm_rotate_key.invoices
action "hsm_rotate_key" "invoices" {
  config {
    key_id = hsm_key.invoices.id
  }
}
