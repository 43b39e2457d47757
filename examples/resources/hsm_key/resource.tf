# Signs and verifies, which is what EC keys do unless `operations` says otherwise.
resource "hsm_key" "invoices" {
  name      = "invoices"
  algorithm = "EC_P256"

  tags = {
    team = "billing"
  }
}

# Encrypts and decrypts, and does so by GCM only.
resource "hsm_key" "archive" {
  name               = "archive"
  algorithm          = "AES_256"
  operations         = ["encrypt", "decrypt"]
  allowed_mechanisms = ["CKM_AES_GCM"]
}

# A key for tests, which goes away with the resource.
resource "hsm_key" "scratch" {
  name                = "scratch"
  algorithm           = "ED25519"
  deletion_protection = false
  on_destroy          = "destroy"
}
