resource "hsm_key" "settlement" {
  name      = "settlement"
  algorithm = "EC_SECP256K1"
}

output "settlement_address" {
  value = provider::hsm::ethereum_address(hsm_key.settlement.public_key_pem)
}
