# A key that is rotated, and its callers: a bot that shares a secret with us, and people
# who keep their private keys to themselves.

variable "people" {
  description = "Who may sign, by name: their public keys (PEM or OpenSSH)."
  type        = map(object({ public_key = string }))
}

variable "bot_recipients" {
  description = "Who can open the bot's secret, by name: age recipients or SSH public keys."
  type        = map(string)
}

resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = "2160h"
  overlap      = "168h"
}

resource "hsm_api_credential" "people" {
  for_each = var.people

  name       = each.key
  owner      = each.key
  type       = "public_key"
  public_key = each.value.public_key
}

resource "hsm_api_credential" "bot" {
  name       = "market-maker"
  owner      = "spot-desk"
  type       = "shared_secret"
  algorithm  = "hmac-sha256"
  recipients = values(var.bot_recipients)
  overlap    = "48h"
}

resource "hsm_access_policy" "orders" {
  name = "orders"

  statement {
    effect     = "permit"
    principals = concat([hsm_api_credential.bot.id], [for person in hsm_api_credential.people : person.id])
    actions    = ["sign"]
    keys       = [hsm_key.orders.id]
  }
}

output "bot_sealed_secret" {
  value = hsm_api_credential.bot.sealed_secret
}

output "verify_with" {
  value = hsm_key_rotation.orders.jwks
}
