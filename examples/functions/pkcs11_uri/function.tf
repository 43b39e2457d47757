# pkcs11:token=prod;object=orders:1;type=private;id=%0A%0B?module-path=/usr/lib/softhsm/libsofthsm2.so
output "orders_uri" {
  value = provider::hsm::pkcs11_uri({
    token       = "prod"
    object      = "orders:1"
    type        = "private"
    id          = "0a0b"
    module_path = "/usr/lib/softhsm/libsofthsm2.so"
  })
}
