# By its name. The arguments come back as they were last applied.
terraform import hsm_api_credential.bot market-maker
