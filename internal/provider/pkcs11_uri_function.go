package provider

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// pkcs11URI is the function pkcs11_uri.
type pkcs11URI struct{}

func newPKCS11URI() function.Function { return pkcs11URI{} }

func (pkcs11URI) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "pkcs11_uri"
}

func (pkcs11URI) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "PKCS#11 URI from its attributes",
		MarkdownDescription: "Returns the PKCS#11 URI (RFC 7512) that has the given attributes. Equal attributes give equal texts: they are in the order of the " +
			"standard, and percent-encoded where it demands that. `parse_pkcs11_uri` is the inverse.",
		Parameters: []function.Parameter{function.DynamicParameter{
			Name:                "attributes",
			MarkdownDescription: "Object with any of " + uriAttributesDescription + ". What is null or empty is left out. A PIN is refused: it would be in the state.",
		}},
		Return: function.StringReturn{},
	}
}

func (pkcs11URI) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var given types.Dynamic
	if resp.Error = req.Arguments.Get(ctx, &given); resp.Error != nil {
		return
	}
	attributes, ok := elementsOf(given.UnderlyingValue())
	if !ok {
		resp.Error = functionError(0, &fault.Error{
			Kind: fault.Invalid, Op: "write PKCS#11 URI", Problem: "This is not an object.", Hint: `Give the attributes by name: { token = "prod", object = "orders:1" }.`,
		})
		return
	}
	var u config.URI
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := setURI(&u, name, attributes[name]); err != nil {
			resp.Error = functionError(0, err)
			return
		}
	}
	text, err := checkedURI(u)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	resp.Error = resp.Result.Set(ctx, text)
}
