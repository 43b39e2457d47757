# A trading desk: three rotated keys, a bot and people who may use them, and no more
# access than each of them needs. One workspace is one environment on one token:
#
#   terraform workspace new dev   # and prod
#   export HSM_PIN=…              # of the workspace's token
#   terraform apply
#
# The bot's secret goes to Vault without ever being in a plan or a state. Vault finds
# its address and token in VAULT_ADDR and VAULT_TOKEN.

terraform {
  required_version = ">= 1.11" # ephemeral resources and write-only arguments

  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
    vault = {
      source  = "hashicorp/vault"
      version = ">= 5.0"
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

provider "hsm" {
  module_path = var.tokens[terraform.workspace].module_path
  token_label = var.tokens[terraform.workspace].label
  environment = terraform.workspace # the token remembers it, and refuses every other one
}

provider "vault" {}
