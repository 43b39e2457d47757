import {
  to = hsm_key_rotation.invoices
  identity = {
    environment = "prod"
    key_id      = "invoices"
  }
}
