resource "hsm_key" "releases" {
  name      = "releases"
  algorithm = "ED25519"
}

# Made at plan and once more at apply, and in no plan and no state.
ephemeral "hsm_signature" "manifest" {
  key_id  = hsm_key.releases.id
  message = base64encode("sha256 of the release: …")
}

# By the hash alone, of something that is too long to be signed whole.
resource "hsm_key" "images" {
  name      = "images"
  algorithm = "EC_P384"
}

ephemeral "hsm_signature" "image" {
  key_id = hsm_key.images.id
  digest = "cViGK+f/fSrgpYW4cvQVzwm3/oxs4XDvlEBh53iNc8H1g1ZS2K/pk5sBkF1ap8SM" # SHA-384
}
