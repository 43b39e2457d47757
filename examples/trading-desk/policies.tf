# Who may do what, with which key. Whatever is not permitted here is denied.

resource "hsm_access_policy" "bot" {
  name        = "market-maker"
  description = "Signs orders, and nothing that is larger than an order."

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.bot.id]
    actions    = ["sign", "get_public_key"]
    keys       = [hsm_key.orders.id]

    condition {
      source_cidrs      = ["10.20.0.0/16"]
      max_payload_bytes = 4096
    }
  }
}

resource "hsm_access_policy" "people" {
  name        = "people"
  description = "Withdrawals are signed by people, in office hours; client data is read by them at any time."

  statement {
    effect     = "permit"
    principals = [for person in hsm_api_credential.people : person.id]
    actions    = ["sign"]
    keys       = [hsm_key.withdrawals.id]

    condition {
      hours {
        from      = "08:00"
        to        = "18:00"
        time_zone = "Europe/Zurich"
        weekdays  = ["monday", "tuesday", "wednesday", "thursday", "friday"]
      }
    }
  }

  statement {
    effect     = "permit"
    principals = [for person in hsm_api_credential.people : person.id]
    actions    = ["decrypt"]
    keys       = [hsm_key.clients.id]
  }
}

resource "hsm_access_policy" "guard_rails" {
  name        = "guard-rails"
  description = "Nobody takes keys out of the HSM, and nobody signs what the HSM has not seen, whatever other policies say."

  statement {
    effect     = "forbid"
    principals = ["any"]
    actions    = ["wrap", "sign_digest"]
    keys       = ["any"]
  }
}
