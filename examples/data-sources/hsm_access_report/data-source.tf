# Everything that anybody may do.
data "hsm_access_report" "all" {}

output "who_signs_withdrawals" {
  value = [for grant in lookup(data.hsm_access_report.all.by_key, "withdrawals", []) : grant.principal if grant.action == "sign"]
}

# The day that somebody leaves: what is left to be revoked.
data "hsm_access_report" "ada" {
  owner = "ada"
}

check "ada_has_left" {
  assert {
    condition     = length(data.hsm_access_report.ada.credentials) == 0
    error_message = "Ada can still use ${join(", ", data.hsm_access_report.ada.credentials[*].name)}."
  }
}
