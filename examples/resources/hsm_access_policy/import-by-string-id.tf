import {
  to = hsm_access_policy.market_maker
  id = "market-maker"
}
