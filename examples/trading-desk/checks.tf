# What has to be true of the policies, whoever changes them: every plan and every apply
# says when it is not.
#
# The data source is not inside of the checks on purpose: what is inside is read at every
# apply, so that `terraform plan -detailed-exitcode` would always see something to do.

data "hsm_access" "bot" {
  for_each = {
    sign        = hsm_key.orders.id
    sign_digest = hsm_key.orders.id
    wrap        = hsm_key.clients.id
  }

  principal = hsm_api_credential.bot.id
  action    = each.key
  key       = each.value

  context = {
    source_ip     = "10.20.0.7"
    payload_bytes = 512
  }

  # Asked when the policies are as they are going to be.
  depends_on = [hsm_access_policy.bot, hsm_access_policy.guard_rails]
}

check "bot_signs_orders" {
  assert {
    condition     = data.hsm_access.bot["sign"].allowed
    error_message = "The bot cannot sign orders: ${join("; ", data.hsm_access.bot["sign"].reasons)}."
  }
}

check "bot_exports_nothing" {
  assert {
    condition     = !data.hsm_access.bot["wrap"].allowed
    error_message = "The bot can take keys out of the HSM: ${join("; ", data.hsm_access.bot["wrap"].reasons)}."
  }
}

check "bot_signs_no_digests" {
  assert {
    condition     = !data.hsm_access.bot["sign_digest"].allowed
    error_message = "The bot can sign what nobody has seen: ${join("; ", data.hsm_access.bot["sign_digest"].reasons)}."
  }
}
