# A policy is proven by what it does not allow: the plan warns as soon as the bot could
# take a key out of the HSM.
#
# The data source is beside the check on purpose. What is inside of a check is read in
# every apply, so that `terraform plan -detailed-exitcode` would always see something to do.
data "hsm_access" "bot_exports" {
  principal  = hsm_api_credential.market_maker.id
  action     = "wrap"
  key        = hsm_key.orders.id
  depends_on = [hsm_access_policy.market_maker, hsm_access_policy.guard_rails]
}

check "bot_exports_nothing" {
  assert {
    condition     = !data.hsm_access.bot_exports.allowed
    error_message = "The bot can take keys out of the HSM: ${join("; ", data.hsm_access.bot_exports.reasons)}."
  }
}

# What depends on the request is asked with it.
data "hsm_access" "bot_signs_orders" {
  principal = hsm_api_credential.market_maker.id
  action    = "sign"
  key       = hsm_key.orders.id

  context = {
    time          = "2027-01-04T09:30:00+01:00"
    source_ip     = "10.20.0.7"
    payload_bytes = 512
    mechanism     = "CKM_ECDSA"
  }
}
