# What the desk signs and encrypts with.

resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"
  tags      = { desk = "spot" }
}

resource "hsm_key_rotation" "orders" {
  key_id       = hsm_key.orders.id
  rotate_every = "720h" # 30 days
  overlap      = "24h"
}

resource "hsm_key" "withdrawals" {
  name      = "withdrawals"
  algorithm = "EC_SECP256K1"
  tags      = { desk = "treasury" }
}

resource "hsm_key_rotation" "withdrawals" {
  key_id       = hsm_key.withdrawals.id
  rotate_every = "8760h" # a year
  overlap      = "720h"
}

resource "hsm_key" "clients" {
  name      = "clients"
  algorithm = "AES_256"
  tags      = { desk = "compliance" }
}

resource "hsm_key_rotation" "clients" {
  key_id       = hsm_key.clients.id
  rotate_every = "2160h" # 90 days
  overlap      = "8760h" # what was encrypted is read for another year
}
