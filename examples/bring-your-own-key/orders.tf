variable "wrapped_orders" {
  description = "The private key, wrapped: what wrap-rsa-aes.sh prints."
  type        = string
  default     = null # it is needed in the run that takes it in
  ephemeral   = true # not in the plan file either
}

resource "hsm_key" "orders" {
  name      = "orders"
  algorithm = "EC_P256"

  import = {
    wrapped_material_wo         = var.wrapped_orders
    wrapped_material_wo_version = 1 # 2 takes the next key in, as the next version
    wrapping_key_id             = hsm_key.transport.id
    mechanism                   = "RSA_AES_KEY_WRAP"
  }
}

output "orders_public_key" {
  value = hsm_key.orders.public_key_pem
}
