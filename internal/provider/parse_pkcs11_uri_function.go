package provider

import (
	"context"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// parsePKCS11URI is the function parse_pkcs11_uri.
type parsePKCS11URI struct{}

func newParsePKCS11URI() function.Function { return parsePKCS11URI{} }

func (parsePKCS11URI) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "parse_pkcs11_uri"
}

func (parsePKCS11URI) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Attributes of a PKCS#11 URI",
		MarkdownDescription: "Returns the attributes of a PKCS#11 URI (RFC 7512), decoded, as an object: " + uriAttributesDescription + ". What the URI does not have is null, the maps are empty then. " +
			"A `pin-value` is left out. What the standard's grammar does not allow is an error. `pkcs11_uri` is the inverse.",
		Parameters: []function.Parameter{function.StringParameter{Name: "uri", MarkdownDescription: "The URI, `pkcs11:…`."}},
		Return:     function.ObjectReturn{AttributeTypes: uriAttributeTypes()},
	}
}

var (
	vendorPathType  = types.MapType{ElemType: types.StringType}
	vendorQueryType = types.MapType{ElemType: types.ListType{ElemType: types.StringType}}
)

func uriAttributeTypes() map[string]attr.Type {
	all := map[string]attr.Type{uriVendorPath: vendorPathType, uriVendorQuery: vendorQueryType}
	for _, name := range uriAttributes {
		all[name] = types.StringType
	}
	return all
}

func (parsePKCS11URI) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var text string
	if resp.Error = req.Arguments.Get(ctx, &text); resp.Error != nil {
		return
	}
	u, err := config.ParseURI(text)
	if err == nil && !utf8.ValidString(u.Object) {
		err = &fault.Error{
			Kind: fault.Invalid, Op: "read PKCS#11 URI", Subject: `attribute "object"`, Problem: "The label is not text in UTF-8, and Terraform has no other.",
			Hint: "Select the object by its id.",
		}
	}
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	result, diags := types.ObjectValue(uriAttributeTypes(), uriValues(u))
	if resp.Error = function.FuncErrorFromDiags(ctx, diags); resp.Error != nil {
		return
	}
	resp.Error = resp.Result.Set(ctx, result)
}

func uriValues(u config.URI) map[string]attr.Value {
	all := map[string]attr.Value{"slot_id": types.StringNull(), "id": types.StringNull()}
	for _, name := range uriAttributes {
		if field := uriText(&u, name); field != nil {
			all[name] = types.StringPointerValue(nonEmpty(*field))
		}
	}
	if u.SlotID != nil {
		all["slot_id"] = types.StringValue(strconv.FormatUint(uint64(*u.SlotID), 10))
	}
	if len(u.ID) > 0 {
		all["id"] = types.StringValue(hex.EncodeToString(u.ID))
	}
	path, query := map[string]attr.Value{}, map[string][]attr.Value{}
	for _, a := range u.VendorPath {
		path[a.Name] = types.StringValue(a.Value)
	}
	for _, a := range u.VendorQuery {
		query[a.Name] = append(query[a.Name], types.StringValue(a.Value))
	}
	lists := map[string]attr.Value{}
	for name, values := range query {
		lists[name] = types.ListValueMust(types.StringType, values)
	}
	all[uriVendorPath] = types.MapValueMust(types.StringType, path)
	all[uriVendorQuery] = types.MapValueMust(vendorQueryType.ElemType, lists)
	return all
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
