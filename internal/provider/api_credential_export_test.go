package provider

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// MaskSecret returns the context in which hsm_api_credential_secret logs, for the tests,
// which are in a package of their own.
func MaskSecret(ctx context.Context, derived secret.Value) context.Context {
	return new(apiCredentialSecretModel).fill(ctx, derived)
}
