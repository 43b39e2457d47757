import {
  to = hsm_key.invoices
  id = "invoices"
}
