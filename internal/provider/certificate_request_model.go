package provider

import (
	"context"
	"crypto/x509/pkix"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
)

// certificateRequestModel is a request in the configuration, the plan and the state.
type certificateRequestModel struct {
	KeyID       types.String `tfsdk:"key_id"`
	Version     types.Int64  `tfsdk:"version"`
	Algorithm   types.String `tfsdk:"algorithm"`
	Subject     types.List   `tfsdk:"subject"`
	DNSNames    types.List   `tfsdk:"dns_names"`
	IPAddresses types.List   `tfsdk:"ip_addresses"`
	URIs        types.List   `tfsdk:"uris"`
	AllowedUses types.List   `tfsdk:"allowed_uses"`
	ID          types.String `tfsdk:"id"`
	PEM         types.String `tfsdk:"cert_request_pem"`
	RenewalDue  types.Bool   `tfsdk:"renewal_due"`
}

type subjectModel struct {
	CommonName         types.String `tfsdk:"common_name"`
	Organization       types.String `tfsdk:"organization"`
	OrganizationalUnit types.String `tfsdk:"organizational_unit"`
	StreetAddress      types.List   `tfsdk:"street_address"`
	Locality           types.String `tfsdk:"locality"`
	Province           types.String `tfsdk:"province"`
	Country            types.String `tfsdk:"country"`
	PostalCode         types.String `tfsdk:"postal_code"`
	SerialNumber       types.String `tfsdk:"serial_number"`
}

// asks reports whether two models request the same of the same key.
func (m certificateRequestModel) asks(other certificateRequestModel) bool {
	return m.KeyID.Equal(other.KeyID) && m.Subject.Equal(other.Subject) && sameList(m.DNSNames, other.DNSNames) && sameList(m.IPAddresses, other.IPAddresses) &&
		sameList(m.URIs, other.URIs) && sameList(m.AllowedUses, other.AllowedUses)
}

// sameList reports whether two lists ask for the same: an empty one asks for nothing, as none does.
func sameList(a, b types.List) bool {
	none := func(l types.List) bool { return !l.IsUnknown() && len(l.Elements()) == 0 }
	return a.Equal(b) || none(a) && none(b)
}

// spec is what is requested, of what is known of it; what is wrong with it is reported.
func (m certificateRequestModel) spec(ctx context.Context, diags *diag.Diagnostics) certrequest.Spec {
	var spec certrequest.Spec
	var err error
	spec.DNSNames = knownTexts(ctx, m.DNSNames, diags)
	report(diags, certrequest.CheckDNSNames(spec.DNSNames), path.Root("dns_names"))
	spec.IPAddresses, err = certrequest.ParseIPs(knownTexts(ctx, m.IPAddresses, diags))
	report(diags, err, path.Root("ip_addresses"))
	spec.URIs, err = certrequest.ParseURIs(knownTexts(ctx, m.URIs, diags))
	report(diags, err, path.Root("uris"))
	spec.Uses = knownTexts(ctx, m.AllowedUses, diags)
	if m.Subject.IsUnknown() {
		return spec
	}
	var subjects []subjectModel
	diags.Append(m.Subject.ElementsAs(ctx, &subjects, false)...)
	for _, s := range subjects { // at most one
		spec.Subject = pkix.Name{
			CommonName: s.CommonName.ValueString(), SerialNumber: s.SerialNumber.ValueString(),
			Organization: one(s.Organization), OrganizationalUnit: one(s.OrganizationalUnit), StreetAddress: knownTexts(ctx, s.StreetAddress, diags),
			Locality: one(s.Locality), Province: one(s.Province), Country: one(s.Country), PostalCode: one(s.PostalCode),
		}
	}
	return spec
}

func one(text types.String) []string {
	if text.ValueString() == "" {
		return nil
	}
	return []string{text.ValueString()}
}

// knownTexts are those elements of a list that have a value already.
func knownTexts(ctx context.Context, list types.List, diags *diag.Diagnostics) []string {
	if list.IsNull() || list.IsUnknown() {
		return nil
	}
	var elements []types.String
	diags.Append(list.ElementsAs(ctx, &elements, false)...)
	var texts []string
	for _, e := range elements {
		if !e.IsNull() && !e.IsUnknown() {
			texts = append(texts, e.ValueString())
		}
	}
	return texts
}
