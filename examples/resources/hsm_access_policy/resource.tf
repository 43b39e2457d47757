# The bot signs orders, from its own network and nothing that is larger than an order.
resource "hsm_access_policy" "market_maker" {
  name        = "market-maker"
  description = "Signs orders, and nothing that is larger than an order."

  statement {
    effect     = "permit"
    principals = [hsm_api_credential.market_maker.id]
    actions    = ["sign", "get_public_key"]
    keys       = [hsm_key.orders.id]

    condition {
      source_cidrs      = ["10.20.0.0/16"]
      max_payload_bytes = 4096
    }
  }
}

# Whoever belongs to treasury signs withdrawals, in office hours.
resource "hsm_access_policy" "treasury" {
  name = "treasury"

  statement {
    effect     = "permit"
    principals = ["owner:treasury"]
    actions    = ["sign"]
    keys       = ["tag:desk=treasury"]

    condition {
      hours {
        from      = "08:00"
        to        = "18:00"
        time_zone = "Europe/Zurich"
        weekdays  = ["monday", "tuesday", "wednesday", "thursday", "friday"]
      }
    }
  }
}

# What nobody may do, whatever other policies say.
resource "hsm_access_policy" "guard_rails" {
  name = "guard-rails"

  statement {
    effect     = "forbid"
    principals = ["any"]
    actions    = ["wrap", "sign_digest"]
    keys       = ["any"]
  }
}

# Cedar says what statements cannot: here, that a desk's credentials verify with the
# keys of their own desk, whichever desks there are.
resource "hsm_access_policy" "same_desk" {
  name = "same-desk"

  cedar = <<-EOT
    permit (
      principal,
      action in [Action::"verify", Action::"get_public_key"],
      resource
    )
    when {
      principal.hasTag("desk") && resource.hasTag("desk") &&
      principal.getTag("desk") == resource.getTag("desk")
    };
  EOT
}
