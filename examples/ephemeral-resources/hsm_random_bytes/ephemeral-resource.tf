# 32 bytes of the HSM's random number generator, other ones each time. Hand them to a
# write-only argument, whose version says when they are written anew:
#
#   data_json_wo         = jsonencode({ key = ephemeral.hsm_random_bytes.session_key.base64 })
#   data_json_wo_version = 1
ephemeral "hsm_random_bytes" "session_key" {
  length = 32
}
