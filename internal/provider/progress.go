package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// LogProgress takes what the layers below have to tell into Terraform's log: what a run
// waits for, and what an operator should know. TF_LOG_PROVIDER=INFO shows it. The
// context is one that a resource or data source has begun with, so the PIN is
// masked in it; nothing below logs a secret in the first place.
func LogProgress(ctx context.Context, msg string, fields map[string]any) {
	tflog.Info(ctx, msg, fields)
}
