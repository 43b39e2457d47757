# A key does one thing, by one mechanism, and never leaves the HSM.
resource "hsm_key" "orders" {
  name               = "orders"
  algorithm          = "EC_P256"
  operations         = ["sign", "verify"]
  allowed_mechanisms = ["CKM_ECDSA"]
  tags               = { desk = "spot" }
}

resource "hsm_key" "clients" {
  name               = "clients"
  algorithm          = "AES_256"
  operations         = ["encrypt", "decrypt"]
  allowed_mechanisms = ["CKM_AES_GCM"]
  tags               = { desk = "compliance" }
}
