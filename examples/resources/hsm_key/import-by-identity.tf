import {
  to = hsm_key.invoices
  identity = {
    environment = "prod"
    name        = "invoices"
  }
}
