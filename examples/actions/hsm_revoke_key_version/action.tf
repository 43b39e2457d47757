# Ends version 1 at once, and for good:
#   terraform apply -invoke=action.hsm_revoke_key_version.leaked
action "hsm_revoke_key_version" "leaked" {
  config {
    key_id  = hsm_key.invoices.id
    version = 1
    reason  = "key_compromise"
  }
}
