# A key that this provider made, by its name.
terraform import hsm_key.invoices invoices

# A key that was made elsewhere, by a PKCS#11 URI with its label, its id, or both.
terraform import hsm_key.invoices "pkcs11:object=invoices;id=%4a%f1;type=private"
