# Another program made this pair: it is found by its label and its CKA_ID, and gets the
# name "ledger". The configuration says what it is, so that the plan has nothing to
# change.
import {
  to = hsm_key.ledger
  id = "pkcs11:object=legacy-ledger;id=%4a%f1?x-name=ledger"
}

resource "hsm_key" "ledger" {
  name       = "ledger"
  algorithm  = "EC_P256"
  operations = ["sign", "verify"]
}

output "ledger_birth" {
  value = {
    for number, v in hsm_key.ledger.versions : number => {
      generated_on_the_token = v.local
      never_extractable      = v.never_extractable
      attested               = v.attested
    }
  }
}
