# A person keeps the private key to herself; only her public key is here.
resource "hsm_api_credential" "ada" {
  name       = "ada"
  owner      = "ada"
  type       = "public_key"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMhYDYYEJHXfEzI4Et7ua0C1WIDd3fcLPpffC2vExyb ada@example.com"

  # Once a year the plan reminds of a new key. When it is put in above, the old one is
  # accepted for another week.
  rotate_every = "8760h"
  overlap      = "168h"
}

# A bot shares a secret with us. It is derived in the HSM and kept nowhere; the bot
# opens `sealed_secret` with its own age key.
resource "hsm_api_credential" "bot" {
  name       = "market-maker"
  owner      = "spot-desk"
  type       = "shared_secret"
  algorithm  = "hmac-sha256"
  recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]

  tags = {
    desk = "spot"
  }

  # A new secret every 30 days. The bot has two days to fetch it.
  rotate_every = "720h"
  overlap      = "48h"
}

# What the bot puts into its requests, and its secret, which nobody else can read:
# terraform output -raw bot_sealed_secret | age -d -i KEY
output "bot_key_id" {
  value = hsm_api_credential.bot.key_id
}

output "bot_sealed_secret" {
  value = hsm_api_credential.bot.sealed_secret
}
