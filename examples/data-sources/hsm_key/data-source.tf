data "hsm_key" "invoices" {
  name = "invoices"
}

output "invoices_version" {
  value = data.hsm_key.invoices.current_version
}
