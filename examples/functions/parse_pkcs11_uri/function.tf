locals {
  signer = provider::hsm::parse_pkcs11_uri("pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B?pin-source=file:/run/secrets/pin")
}

output "signer_label" {
  value = local.signer.object # orders:1
}

output "signer_id" {
  value = local.signer.id # 0a0b
}

# The same object, for a program that takes its PIN from somewhere else.
output "signer_without_pin" {
  value = provider::hsm::pkcs11_uri(merge(local.signer, { pin_source = null }))
}
