# Who may call. The bot shares a secret with us, as exchanges do it; people keep a
# private key to themselves and give us the public one.

variable "bot_recipients" {
  description = "Whom the bot's secret is sealed to: age recipients or SSH public keys."
  type        = list(string)
}

variable "people" {
  description = "The people of the desk, by name: their public keys (PEM or OpenSSH)."
  type        = map(object({ public_key = string }))
}

resource "hsm_api_credential" "bot" {
  name         = "market-maker"
  owner        = "spot-desk"
  type         = "shared_secret"
  algorithm    = "hmac-sha256"
  recipients   = var.bot_recipients
  tags         = { desk = "spot" }
  rotate_every = "720h"
  overlap      = "48h" # two days for the bot to fetch its next secret
}

resource "hsm_api_credential" "people" {
  for_each = var.people

  name       = each.key
  owner      = each.key
  type       = "public_key"
  public_key = each.value.public_key
}

# The secret is derived again whenever it is needed, and handed on. Nothing of it is
# kept here: not in the plan, not in the state.

ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
  version       = hsm_api_credential.bot.version
}

resource "vault_kv_secret_v2" "bot" {
  mount = "trading"
  name  = "${terraform.workspace}/market-maker"

  data_json_wo = jsonencode({
    key_id = hsm_api_credential.bot.key_id
    secret = ephemeral.hsm_api_credential_secret.bot.base64
  })
  data_json_wo_version = hsm_api_credential.bot.version
}
