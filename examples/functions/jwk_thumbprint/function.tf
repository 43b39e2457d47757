resource "hsm_key" "tokens" {
  name      = "tokens"
  algorithm = "EC_P256"
}

# The kid of the key, by which a verifier finds it in a key set.
output "tokens_kid" {
  value = provider::hsm::jwk_thumbprint(hsm_key.tokens.public_key_pem)
}
