# What Ada can still use. It is read at plan, so that it is the plan after the apply
# that has to be without this warning.
data "hsm_access_report" "ada" {
  owner = "ada"
}

check "ada_has_left" {
  assert {
    condition     = length(data.hsm_access_report.ada.credentials) == 0
    error_message = "Ada can still use ${join(", ", data.hsm_access_report.ada.credentials[*].name)}."
  }
}
