import {
  to = hsm_api_credential.bot
  identity = {
    environment = "prod"
    name        = "market-maker"
  }
}
