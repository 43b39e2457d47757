# In a file that ends in .tfquery.hcl. `terraform query` lists the keys, and
# `terraform query -generate-config-out=keys.tf` writes their configuration.
list "hsm_key" "billing" {
  provider = hsm

  config {
    tags = {
      team = "billing"
    }
  }
}
