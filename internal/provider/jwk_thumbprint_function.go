package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// jwkThumbprint is the function jwk_thumbprint.
type jwkThumbprint struct{}

func newJWKThumbprint() function.Function { return jwkThumbprint{} }

func (jwkThumbprint) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "jwk_thumbprint"
}

func (jwkThumbprint) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "JWK thumbprint of a public key",
		MarkdownDescription: "Returns the SHA-256 thumbprint of a public key (RFC 7638) in base64url without padding. It is what `jwks` has as the key's `kid`, " +
			"and `hsm_jwt` in the header of a token.",
		Parameters: []function.Parameter{function.StringParameter{
			Name: "public_key",
			MarkdownDescription: "Public key, either in PEM (`PUBLIC KEY`, as in `public_key_pem`) or as one JSON Web Key (JSON text). Members of a JSON Web Key " +
				"that the thumbprint is not taken of, such as `kid` and `use`, are passed over; one with private or secret members is refused.",
		}},
		Return: function.StringReturn{},
	}
}

func (jwkThumbprint) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var text string
	if resp.Error = req.Arguments.Get(ctx, &text); resp.Error != nil {
		return
	}
	read := readPublicKey
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		read = keyring.ParseJWK // it knows the secret members
	}
	key, err := read(text)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	thumbprint, err := key.Thumbprint()
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	resp.Error = resp.Result.Set(ctx, thumbprint)
}
