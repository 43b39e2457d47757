# A change of the algorithm is a rotation too: here it takes place in the apply that
# changes it, and the old versions keep the algorithm that they were made with.
resource "hsm_key" "documents" {
  name      = "documents"
  algorithm = var.documents_algorithm
}

resource "hsm_key_rotation" "documents" {
  key_id              = hsm_key.documents.id
  overlap             = "8760h" # a year
  rotate_when_changed = { algorithm = hsm_key.documents.algorithm }
}

variable "documents_algorithm" {
  description = "What the next version of the key documents is made with."
  type        = string
  default     = "RSA_3072"
}
