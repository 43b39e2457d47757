# Every key of one team whose current version is in use.
data "hsm_keys" "billing" {
  tags = {
    team = "billing"
  }
  state = "active"
}

output "billing_public_keys" {
  value = { for name, key in data.hsm_keys.billing.keys : name => key.public_key_pem }
}
