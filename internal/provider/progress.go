package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// LogProgress takes what the layers below have to tell into Terraform's log. The
// context is one that a resource or data source has begun with, so the PIN is
// masked in it; nothing below logs a secret in the first place.
func LogProgress(ctx context.Context, msg string, fields map[string]any) {
	tflog.Debug(ctx, msg, fields)
}
