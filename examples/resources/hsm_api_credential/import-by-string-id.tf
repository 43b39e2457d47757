import {
  to = hsm_api_credential.bot
  id = "market-maker"
}
