# A policy of the environment, by its name.
terraform import hsm_access_policy.market_maker market-maker
