package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// nameValidator accepts what keyring accepts as the name of a key: all names of an
// environment follow one rule. The noun is what has the name.
type nameValidator struct{ noun string }

func (nameValidator) Description(context.Context) string {
	return "1 to 63 letters, digits, dots, underscores and hyphens, starting with a letter or a digit"
}

func (v nameValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v nameValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	name := req.ConfigValue.ValueString()
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || keyring.ValidateName(name) == nil {
		return
	}
	report(&resp.Diagnostics, &fault.Error{
		Kind: fault.Invalid, Op: fmt.Sprintf("read %s name", v.noun), Subject: fmt.Sprintf("name %q", name),
		Problem: fmt.Sprintf("This is not a usable %s name.", v.noun), Hint: "Use " + v.Description(ctx) + ".",
	}, req.Path)
}

// mechanismValidator accepts names that look like those of PKCS#11 mechanisms.
// Whether a token has one is asked at plan.
type mechanismValidator struct{}

func (mechanismValidator) Description(context.Context) string {
	return `the name of a PKCS#11 mechanism, such as "CKM_ECDSA"`
}

func (v mechanismValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v mechanismValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	name := req.ConfigValue.ValueString()
	rest, ok := strings.CutPrefix(name, "CKM_")
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" {
		return
	}
	report(&resp.Diagnostics, &fault.Error{
		Kind: fault.Invalid, Op: "read mechanism", Problem: fmt.Sprintf("%q is not the name of a PKCS#11 mechanism.", name),
		Hint: "Give " + v.Description(ctx) + ".",
	}, req.Path)
}

// uriValidator accepts PKCS#11 URIs. What it reports is about the whole block, see
// secretArguments.
type uriValidator struct{}

func (uriValidator) Description(context.Context) string { return "a PKCS#11 URI (RFC 7512)" }

func (v uriValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (uriValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := config.ParseURI(req.ConfigValue.ValueString()); err != nil {
		report(&resp.Diagnostics, &fault.Error{
			Kind: fault.Invalid, Op: "read PKCS#11 URI", Subject: req.Path.String(), Problem: "It cannot be read.", Cause: err,
		})
	}
}

// noNulls accepts maps, lists and sets whose elements all have a value.
type noNulls struct{}

func (noNulls) Description(context.Context) string { return "no null among the values" }

func (v noNulls) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (noNulls) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	for _, name := range slices.Sorted(maps.Keys(req.ConfigValue.Elements())) {
		if req.ConfigValue.Elements()[name].IsNull() {
			report(&resp.Diagnostics, null(fmt.Sprintf("%s[%q]", req.Path, name)), req.Path)
		}
	}
}

func (noNulls) ValidateList(_ context.Context, req validator.ListRequest, resp *validator.ListResponse) {
	for n, element := range req.ConfigValue.Elements() {
		if element.IsNull() {
			report(&resp.Diagnostics, null(fmt.Sprintf("%s[%d]", req.Path, n)), req.Path)
		}
	}
}

func (noNulls) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	if slices.ContainsFunc(req.ConfigValue.Elements(), attr.Value.IsNull) {
		report(&resp.Diagnostics, null("An element of "+req.Path.String()), req.Path)
	}
}

// notEmpty accepts texts and sets that have something in them.
type notEmpty struct{}

func (notEmpty) Description(context.Context) string { return "not empty" }

func (v notEmpty) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (notEmpty) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() && req.ConfigValue.ValueString() == "" {
		report(&resp.Diagnostics, empty(req.Path), req.Path)
	}
}

func (notEmpty) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() && len(req.ConfigValue.Elements()) == 0 {
		report(&resp.Diagnostics, empty(req.Path), req.Path)
	}
}

func empty(at path.Path) error {
	return &fault.Error{Kind: fault.Invalid, Op: "use an empty value", Problem: at.String() + " is empty.", Hint: "Give it a value, or leave it out."}
}

func null(what string) error {
	return &fault.Error{Kind: fault.Invalid, Op: "use null", Problem: what + " is null.", Hint: "Give it a value, or leave it out."}
}
