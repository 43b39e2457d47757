# By the key's id, or by the id of a rotation, "invoices/3", whose number does not
# matter. The arguments come back as they were last applied.
terraform import hsm_key_rotation.invoices invoices
