data "hsm_token" "this" {}

output "token" {
  value = "${data.hsm_token.this.label} (${data.hsm_token.this.model}, firmware ${data.hsm_token.this.firmware_version})"
}
