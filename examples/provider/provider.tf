terraform {
  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
  }
}

# One token holds one environment. The PIN comes from the environment variable
# HSM_PIN, so that it is in no file.
provider "hsm" {
  module_path = "/usr/lib/softhsm/libsofthsm2.so"
  token_label = "payments-prod"
  environment = terraform.workspace
}

# The same with a PKCS#11 URI (RFC 7512), as other PKCS#11 programs take it.
provider "hsm" {
  alias       = "by_uri"
  uri         = "pkcs11:token=payments-prod?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/hsm-pin"
  environment = terraform.workspace
}
