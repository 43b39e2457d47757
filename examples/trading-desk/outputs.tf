output "bot_key_id" {
  description = "What the bot puts into its requests."
  value       = hsm_api_credential.bot.key_id
}

output "bot_sealed_secret" {
  description = "The bot's secret, for its recipients alone: `terraform output -raw bot_sealed_secret | age -d -i KEY`."
  value       = hsm_api_credential.bot.sealed_secret
}

output "access" {
  description = "Who may do what with which key."
  value       = setunion(hsm_access_policy.bot.effective_access, hsm_access_policy.people.effective_access)
}
