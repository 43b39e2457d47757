package provider

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// accessModel is hsm_access in configuration and state.
type accessModel struct {
	Principal        types.String  `tfsdk:"principal"`
	Action           types.String  `tfsdk:"action"`
	Key              types.String  `tfsdk:"key"`
	PrincipalVersion types.Int64   `tfsdk:"principal_version"`
	KeyVersion       types.Int64   `tfsdk:"key_version"`
	Context          *contextModel `tfsdk:"context"`
	Allowed          types.Bool    `tfsdk:"allowed"`
	Reasons          types.List    `tfsdk:"reasons"`
	Errors           types.List    `tfsdk:"errors"`
}

// contextModel is what is known of a request.
type contextModel struct {
	Time         types.String `tfsdk:"time"`
	SourceIP     types.String `tfsdk:"source_ip"`
	PayloadBytes types.Int64  `tfsdk:"payload_bytes"`
	Mechanism    types.String `tfsdk:"mechanism"`
}

// find refuses names and versions that there are not: whoever proves that somebody may
// not do something must not succeed by a slip of the pen. What is still to be made has
// no versions yet that could be missing.
func (m accessModel) find(environment string, now *policy.Outlook, isCallerToCome, isKeyToCome bool, diags *diag.Diagnostics) {
	refuse := func(attribute, problem, hint string) {
		report(diags, &fault.Error{Kind: fault.Invalid, Op: "decide about access", Problem: problem, Hint: hint}, path.Root(attribute))
	}
	const refer = "Refer to the resource rather than writing its name, or correct it."

	principal := now.Principal(m.Principal.ValueString())
	switch n := int(m.PrincipalVersion.ValueInt64()); {
	case principal == nil && !isCallerToCome:
		refuse("principal", fmt.Sprintf("Environment %q has no API credential %q.", environment, m.Principal.ValueString()), refer)
	case principal != nil && n != 0 && !slices.ContainsFunc(principal.Versions, func(s policy.Standing) bool { return s.Number == n }):
		refuse("principal_version", fmt.Sprintf("API credential %q has no version %d.", m.Principal.ValueString(), n), "Leave it out for the newest, or correct it.")
	}
	key := now.Key(m.Key.ValueString())
	switch n := int(m.KeyVersion.ValueInt64()); {
	case key == nil && !isKeyToCome:
		refuse("key", fmt.Sprintf("Environment %q has no key %q.", environment, m.Key.ValueString()), refer)
	case key != nil && n != 0 && key.Versions[n] == nil:
		refuse("key_version", fmt.Sprintf("Key %q has no version %d.", m.Key.ValueString(), n), "Leave it out for the current one, or correct it.")
	}
}

// request is what is asked. Its texts are well-formed: the attributes' validators have
// seen to it.
func (m accessModel) request(environment string, now time.Time) policy.Request {
	r := policy.Request{
		Environment: environment, Principal: m.Principal.ValueString(), PrincipalVersion: int(m.PrincipalVersion.ValueInt64()),
		Action: policy.Action(m.Action.ValueString()), Key: m.Key.ValueString(), KeyVersion: int(m.KeyVersion.ValueInt64()),
		Context: policy.Context{Time: now, PayloadBytes: -1},
	}
	if m.Context == nil {
		return r
	}
	if at, err := time.Parse(time.RFC3339, m.Context.Time.ValueString()); err == nil {
		r.Context.Time = at
	}
	if address, err := netip.ParseAddr(m.Context.SourceIP.ValueString()); err == nil {
		r.Context.SourceIP = address
	}
	if !m.Context.PayloadBytes.IsNull() {
		r.Context.PayloadBytes = m.Context.PayloadBytes.ValueInt64()
	}
	r.Context.Mechanism = m.Context.Mechanism.ValueString()
	return r
}

// addressValidator accepts IP addresses.
type addressValidator struct{}

func (addressValidator) Description(context.Context) string {
	return `an IPv4 or IPv6 address, such as "10.20.0.7"`
}

func (v addressValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v addressValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := netip.ParseAddr(req.ConfigValue.ValueString()); err != nil {
		report(&resp.Diagnostics, &fault.Error{
			Kind: fault.Invalid, Op: "read address", Problem: fmt.Sprintf("%q is not an IP address.", req.ConfigValue.ValueString()), Hint: "Give " + v.Description(ctx) + ".",
		}, req.Path)
	}
}
