# One workspace is one environment, and has a token of its own:
#
#   terraform workspace new dev   # and prod
#   export HSM_PIN=…              # of the workspace's token
#   terraform apply

terraform {
  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
  }
}

variable "tokens" {
  description = "The token of each workspace: path of its PKCS#11 module, and its label."
  type = map(object({
    module_path = string
    label       = string
  }))
}

locals {
  # What differs between the environments, and nothing else does.
  rotate_every = {
    dev  = "24h" # so that a rotation is an everyday thing long before it gets to prod
    prod = "2160h"
  }
}

provider "hsm" {
  module_path = var.tokens[terraform.workspace].module_path
  token_label = var.tokens[terraform.workspace].label
  environment = terraform.workspace # the token remembers it, and refuses every other one
}

resource "hsm_key" "orders" {
  name                = "orders"
  algorithm           = "EC_P256"
  deletion_protection = terraform.workspace == "prod"
}

resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = local.rotate_every[terraform.workspace]
  overlap      = "12h"
}

output "verify_with" {
  value = hsm_key_rotation.orders.jwks
}
