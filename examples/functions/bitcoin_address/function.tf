resource "hsm_key" "treasury" {
  name      = "treasury"
  algorithm = "EC_SECP256K1"
}

output "treasury_address" {
  value = provider::hsm::bitcoin_address(hsm_key.treasury.public_key_pem, "main")
}

output "treasury_test_address" {
  value = provider::hsm::bitcoin_address(hsm_key.treasury.public_key_pem, "test")
}
