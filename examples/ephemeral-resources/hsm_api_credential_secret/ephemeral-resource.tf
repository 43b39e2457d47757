resource "hsm_api_credential" "bot" {
  name         = "market-maker"
  owner        = "spot-desk"
  type         = "shared_secret"
  algorithm    = "hmac-sha256"
  rotate_every = "720h"
  overlap      = "48h"
}

# The same secret each time it is opened, and in no plan and no state.
ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
  version       = hsm_api_credential.bot.version
}

# Handed on to a secret manager, which is told by the version when there is another one.
resource "vault_kv_secret_v2" "bot" {
  mount = "trading"
  name  = "market-maker"

  data_json_wo = jsonencode({
    key_id = hsm_api_credential.bot.key_id
    secret = ephemeral.hsm_api_credential_secret.bot.base64
  })
  data_json_wo_version = hsm_api_credential.bot.version
}
