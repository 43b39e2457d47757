# The key and its rotation are on the token already: this provider made them, and the
# state does not know them. Terraform asks nobody and reads everything.
import {
  to = hsm_key.invoices
  id = "invoices"
}

import {
  to = hsm_key_rotation.invoices
  id = "invoices"
}

resource "hsm_key" "invoices" {
  name      = "invoices"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "invoices" {
  key_id       = hsm_key.invoices.id
  rotate_every = "2160h"
  overlap      = "168h"
}
