resource "hsm_key" "payouts" {
  name      = "payouts"
  algorithm = "ED25519"
}

output "payouts_address" {
  value = provider::hsm::solana_address(hsm_key.payouts.public_key_pem)
}
