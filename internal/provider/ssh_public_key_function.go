package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/notation"
)

// sshPublicKey is the function ssh_public_key.
type sshPublicKey struct{}

func newSSHPublicKey() function.Function { return sshPublicKey{} }

func (sshPublicKey) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "ssh_public_key"
}

func (sshPublicKey) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "OpenSSH form of a public key",
		MarkdownDescription: "Returns a public key as a line of an `authorized_keys` file, without an end of line: " +
			"`ssh-ed25519 AAAA… comment`. OpenSSH has RSA, P-256, P-384, P-521 and Ed25519 keys.",
		Parameters: []function.Parameter{publicKeyParameter("Public key in PEM (`PUBLIC KEY`), as in `public_key_pem`.")},
		VariadicParameter: function.StringParameter{
			Name: "comment", MarkdownDescription: "Comment at the end of the line; at most one. Default: none.",
		},
		Return: function.StringReturn{},
	}
}

func (sshPublicKey) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var pem string
	var comments []string
	if resp.Error = req.Arguments.Get(ctx, &pem, &comments); resp.Error != nil {
		return
	}
	if len(comments) > 1 {
		resp.Error = functionError(2, &fault.Error{
			Kind: fault.Invalid, Op: "write OpenSSH public key", Problem: "There is more than one comment.", Hint: "Join them: a key has one.",
		})
		return
	}
	key, err := readPublicKey(pem)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	line, err := notation.OpenSSH(key, "")
	if err == nil && len(comments) == 1 {
		if line, err = notation.OpenSSH(key, comments[0]); err != nil {
			resp.Error = functionError(1, err)
			return
		}
	}
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	resp.Error = resp.Result.Set(ctx, line)
}
