import {
  to = hsm_access_policy.market_maker
  identity = {
    environment = "prod"
    name        = "market-maker"
  }
}
