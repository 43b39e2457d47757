# The key that unwraps what comes in. Its public half goes to those who wrap.
resource "hsm_key" "transport" {
  name       = "transport"
  algorithm  = "RSA_3072"
  operations = ["unwrap"]
}

output "transport_public_key" {
  value = hsm_key.transport.public_key_pem
}
