# Version 1 of the bot's secret is known to somebody else.
resource "hsm_api_credential" "bot" {
  revoke = { "1" = "key_compromise" }
}
