terraform {
  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
  }
}

provider "hsm" {
  module_path = "/usr/lib/softhsm/libsofthsm2.so"
  token_label = "payments"
  environment = "dev" # stamped on the token; the PIN comes from HSM_PIN
}

resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = "2160h" # 90 days
  overlap      = "168h"  # for a week the old version still verifies
}

output "versions" {
  value = { for number, v in hsm_key_rotation.orders.versions : number => v.state }
}
