package provider

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// publicKeyParameter is the first parameter of the functions of a public key.
func publicKeyParameter(description string) function.StringParameter {
	return function.StringParameter{Name: "public_key_pem", MarkdownDescription: description}
}

// readPublicKey reads an argument that is a public key in PEM. A private key is told
// from everything that is merely no key, whatever it says of itself.
func readPublicKey(text string) (keyring.PublicKey, error) {
	if err := refusePrivate(text); err != nil {
		return nil, err
	}
	return keyring.ParsePublicKeyPEM(text)
}

func refusePrivate(text string) error {
	if !credential.IsPrivate(text) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "read public key", Problem: "This is a private key, which nobody but its owner must have.",
		Hint: "Treat it as disclosed, since it is in the configuration, and Terraform has just shown what it was given: make a new one, and give its public half.",
	}
}

// functionError puts an error into the words of a diagnostic at an argument of the call,
// counted from zero.
func functionError(argument int64, err error) *function.FuncError {
	if err == nil {
		return nil
	}
	_, detail := explain(err)
	detail = strings.TrimSuffix(strings.ReplaceAll(detail, "\n\n", "\n"), ".") // Terraform adds one
	return function.NewArgumentFuncError(argument, detail)
}
