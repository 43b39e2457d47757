# Every key of one team whose current version is in use.
data "hsm_keys" "billing" {
  tags = {
    team = "billing"
  }
  state = "active"
}

output "billing_keys" {
  value = [for key in data.hsm_keys.billing.keys : key.name]
}
