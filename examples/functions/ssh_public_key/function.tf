resource "hsm_key" "deploy" {
  name      = "deploy"
  algorithm = "ED25519"
}

# A line for ~/.ssh/authorized_keys: ssh-ed25519 AAAA… deploy@prod
output "deploy_authorized_key" {
  value = provider::hsm::ssh_public_key(hsm_key.deploy.public_key_pem, "deploy@prod")
}
