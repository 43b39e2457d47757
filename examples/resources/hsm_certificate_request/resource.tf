resource "hsm_key" "shop" {
  name      = "shop"
  algorithm = "EC_P256"
}

resource "hsm_key_rotation" "shop" {
  key_id       = hsm_key.shop.id
  rotate_every = "8760h"
  overlap      = "168h"
}

# Made anew in the apply that rotates the key. Hand cert_request_pem to the authority:
# vault_pki_secret_backend_sign, tls_locally_signed_cert, …
resource "hsm_certificate_request" "shop" {
  key_id  = hsm_key.shop.id
  version = hsm_key_rotation.shop.version

  subject {
    common_name  = "shop.example.com"
    organization = "Example"
    country      = "CH"
  }
  dns_names    = ["shop.example.com", "www.shop.example.com"]
  ip_addresses = ["192.0.2.1"]
  uris         = ["spiffe://example.com/shop"]
  allowed_uses = ["digital_signature", "server_auth"]
}

output "shop_request" {
  value = hsm_certificate_request.shop.cert_request_pem
}
