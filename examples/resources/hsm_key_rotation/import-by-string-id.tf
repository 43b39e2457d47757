import {
  to = hsm_key_rotation.invoices
  id = "invoices"
}
