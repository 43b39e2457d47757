# By the key's id.
terraform import hsm_key_rotation.invoices invoices
