# The credential has no secret in the state: only its name, its versions and a
# fingerprint to compare by.
resource "hsm_api_credential" "bot" {
  name         = "market-maker"
  owner        = "spot-desk"
  type         = "shared_secret"
  algorithm    = "hmac-sha256"
  rotate_every = "720h" # 30 days
  overlap      = "48h"  # the old secret is accepted for two days after
}

# The secret is derived in the HSM, at plan and again at apply, and is the same each
# time.
ephemeral "hsm_api_credential_secret" "bot" {
  credential_id = hsm_api_credential.bot.id
  version       = hsm_api_credential.bot.version
}

# It goes into a write-only argument, which Terraform keeps nowhere either. The version
# tells Vault's provider when there is another one to be written.
resource "vault_kv_secret_v2" "bot" {
  mount = "trading"
  name  = "market-maker"

  data_json_wo = jsonencode({
    key_id = hsm_api_credential.bot.key_id
    secret = ephemeral.hsm_api_credential_secret.bot.base64
  })
  data_json_wo_version = hsm_api_credential.bot.version
}

# What the bot reports of the secret that it uses can be compared with this.
output "bot_fingerprint" {
  value = hsm_api_credential.bot.fingerprint_sha256
}
