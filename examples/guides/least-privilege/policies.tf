variable "bot_public_key" {
  description = "The bot's public key, in PEM or OpenSSH's format."
  type        = string
}

# The bot proves itself with a key of its own: there is no secret on this side. Each of
# its versions ends by itself, whatever else is forgotten.
resource "hsm_api_credential" "bot" {
  name       = "market-maker"
  owner      = "spot-desk"
  type       = "public_key"
  public_key = var.bot_public_key
  valid_for  = "2160h" # 90 days
  overlap    = "48h"
}

# One caller, one action, one key, from one network.
resource "hsm_access_policy" "bot" {
  name = "market-maker"

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = ["sign"]
    keys       = [hsm_key.orders.id]

    condition {
      source_cidrs      = ["10.20.0.0/16"]
      max_payload_bytes = 4096
      mechanisms        = ["CKM_ECDSA"]
    }
  }
}

# What nobody may do, whatever other policies come to say.
resource "hsm_access_policy" "guard_rails" {
  name = "guard-rails"

  statement {
    effect     = "forbid"
    principals = ["any"]
    actions    = ["wrap", "unwrap", "sign_digest"]
    keys       = ["any"]
  }
}
