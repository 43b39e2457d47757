# The newest checkpoint, to be kept where whoever runs Terraform cannot change it.
data "hsm_audit" "this" {
  key  = "invoices"
  last = 5
}

output "audit_checkpoint" {
  value = data.hsm_audit.this.checkpoint
}

output "what_happened_to_invoices" {
  value = [for event in data.hsm_audit.this.events : "${event.time} ${event.actor}: ${event.what}"]
}
