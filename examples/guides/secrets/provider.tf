terraform {
  required_version = ">= 1.11" # ephemeral values and write-only arguments

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

variable "module_path" {
  description = "The PKCS#11 module, a shared library."
  type        = string
  default     = "/usr/lib/softhsm/libsofthsm2.so"
}

# A variable that is ephemeral is in no plan and in no state. It has to be given to the
# apply of a saved plan once more: TF_VAR_pin.
variable "pin" {
  description = "The token's user PIN."
  type        = string
  sensitive   = true
  ephemeral   = true
}

provider "hsm" {
  module_path = var.module_path
  token_label = "payments"
  environment = "prod"
  pin         = var.pin
}

provider "vault" {} # finds its address and token in VAULT_ADDR and VAULT_TOKEN
