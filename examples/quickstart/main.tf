# Four keys in one token, one of them rotated every 90 days.
#
# Needed: a PKCS#11 module, an initialised token, and its PIN in HSM_PIN.
# `make demo` runs this against a throw-away SoftHSM token.

terraform {
  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
  }
}

variable "module_path" {
  description = "The PKCS#11 module, a shared library."
  type        = string
  default     = "/usr/lib/softhsm/libsofthsm2.so"
}

variable "token_label" {
  description = "The label of the token."
  type        = string
}

provider "hsm" {
  module_path = var.module_path
  token_label = var.token_label

  # The token remembers this name and refuses every other one.
  environment = terraform.workspace
}

resource "hsm_key" "invoices" {
  name      = "invoices"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "invoices" {
  key_id       = hsm_key.invoices.id
  rotate_every = "2160h" # 90 days
  overlap      = "168h"  # for a week, what the old version signed still verifies in the HSM
}

resource "hsm_key" "settlement" {
  name      = "settlement"
  algorithm = "EC_SECP256K1"
}

resource "hsm_key" "releases" {
  name      = "releases"
  algorithm = "ED25519"
}

resource "hsm_key" "archive" {
  name      = "archive"
  algorithm = "AES_256"
}

# Of the rotated key, whatever depends on the current version asks the rotation:
# in the apply that rotates, hsm_key still shows the version before.

output "public_keys" {
  description = "The public key of each pair's current version, in PEM."
  value = {
    invoices   = hsm_key_rotation.invoices.public_key_pem
    settlement = hsm_key.settlement.public_key_pem
    releases   = hsm_key.releases.public_key_pem
  }
}

output "pkcs11_uris" {
  description = "How PKCS#11 programs refer to the keys."
  value = {
    invoices   = hsm_key_rotation.invoices.versions[hsm_key_rotation.invoices.version].pkcs11_uri
    settlement = hsm_key.settlement.pkcs11_uri
    releases   = hsm_key.releases.pkcs11_uri
    archive    = hsm_key.archive.pkcs11_uri
  }
}

output "invoices_version" {
  description = "The version of the key invoices that signs."
  value       = hsm_key_rotation.invoices.version
}

output "invoices_versions" {
  description = "Every version of the key invoices."
  value       = hsm_key_rotation.invoices.versions
}
