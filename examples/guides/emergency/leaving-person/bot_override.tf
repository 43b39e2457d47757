# Ada could open version 1 of the bot's secret.
resource "hsm_api_credential" "bot" {
  revoke = { "1" = "affiliation_changed" }
}
