# A key that this provider made, by its name. One that was removed with on_destroy =
# "disable" is imported as disabled; the next apply switches it on again.
terraform import hsm_key.invoices invoices

# A key that was made elsewhere, by a PKCS#11 URI with its label, its id, or both.
# Its label becomes its name, unless x-name gives another. The import writes a
# record of the key to the token and leaves the key as it is.
terraform import hsm_key.invoices "pkcs11:object=invoices;id=%4a%f1;type=private"
terraform import hsm_key.invoices "pkcs11:id=%4a%f1?x-name=invoices"
