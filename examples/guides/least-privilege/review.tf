# Proof that it is so, in every plan. The data sources are beside the checks and not
# inside of them, or no plan would ever be without changes.
data "hsm_access" "bot" {
  for_each = {
    sign        = hsm_key.orders.id
    sign_digest = hsm_key.orders.id
    decrypt     = hsm_key.clients.id
  }

  principal = hsm_api_credential.bot.id
  action    = each.key
  key       = each.value
  context = {
    source_ip     = "10.20.0.7"
    payload_bytes = 512
    mechanism     = "CKM_ECDSA"
  }
  depends_on = [hsm_access_policy.bot, hsm_access_policy.guard_rails]
}

check "bot_signs_orders_and_nothing_else" {
  assert {
    condition     = [for action, decision in data.hsm_access.bot : action if decision.allowed] == ["sign"]
    error_message = "The bot may: ${join(", ", [for action, decision in data.hsm_access.bot : action if decision.allowed])}."
  }
}

# All access there is, for a review.
data "hsm_access_report" "all" {
  depends_on = [hsm_access_policy.bot, hsm_access_policy.guard_rails]
}

output "access" {
  value = [for grant in data.hsm_access_report.all.grants : "${grant.principal}: ${grant.action} with ${grant.key}"]
}
