# By the key's id. The arguments come back as they were last applied.
terraform import hsm_key_rotation.invoices invoices
