package provider

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
)

func (r *certificateRequestResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	const none = " Default: none. A change makes the request anew."
	list := func(description string, each ...validator.String) schema.ListAttribute {
		return schema.ListAttribute{
			Optional: true, ElementType: types.StringType, MarkdownDescription: description,
			Validators: []validator.List{noNulls{}, listvalidator.ValueStringsAre(append(each, notEmpty{})...)},
		}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A request for a certificate (PKCS#10) that is signed in the HSM by the current version of a key, so that the key serves TLS or another PKI. " +
			"The arguments are those of `tls_cert_request` where they mean the same; there is no private key among them.\n\n" +
			"It is made anew, in place, when an argument changes, and when the key has another current version: with `version = hsm_key_rotation.example.version` in the apply that " +
			"rotates, otherwise with the plan after it. A request that was made stays in the state as it is when its key is disabled or goes. Destroying it forgets it. " +
			"There is nothing to import: a request is in the state alone, and one that is declared is made.",
		Attributes: map[string]schema.Attribute{
			"key_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}},
				MarkdownDescription: "`id` of the `hsm_key`: an RSA, P-256, P-384, P-521 or Ed25519 key that may sign. A change makes the request anew.",
			},
			"version": schema.Int64Attribute{
				Optional: true, Computed: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "Number of the version that signs, and that the certificate is for. Default: the current one, and no other can be named. A change makes the request anew.",
			},
			"algorithm": schema.StringAttribute{
				Optional: true, Computed: true, Validators: []validator.String{stringvalidator.OneOf(certrequest.SchemeNames()...)},
				MarkdownDescription: "Signature algorithm by its name in JSON Web Algorithms: `ES256` (P-256), `ES384` (P-384), `ES512` (P-521), `EdDSA` (Ed25519), `RS256`, `RS384`, `RS512` (RSA, PKCS #1 v1.5), " +
					"`PS256`, `PS384` or `PS512` (RSA-PSS). Default: that of the key, and `RS256` for RSA, unless `allowed_mechanisms` permits another one only. A change makes the request anew.",
			},
			"dns_names":    list("DNS names that the certificate is requested for." + none),
			"ip_addresses": list("IP addresses that the certificate is requested for." + none),
			"uris":         list("URIs that the certificate is requested for." + none),
			"allowed_uses": list("Key usages and extended key usages that are requested, by their names in the tls provider: "+quoted(certrequest.UseNames())+". Default: none are asked for, and the authority decides. A change makes the request anew.",
				stringvalidator.OneOf(certrequest.UseNames()...)),
			"id":               schema.StringAttribute{Computed: true, MarkdownDescription: "SHA-256 of the request, in hexadecimal."},
			"cert_request_pem": schema.StringAttribute{Computed: true, MarkdownDescription: "The request in PEM (`CERTIFICATE REQUEST`)."},
			"renewal_due":      schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the key had another current version when it was last looked at, or was another key, as on another token. The next plan makes the request anew then."},
		},
		Blocks: map[string]schema.Block{"subject": subjectBlock()},
	}
}

// subjectBlock has the upper bounds of RFC 5280, appendix A.1: certification authorities
// refuse what is longer.
func subjectBlock() schema.Block {
	printable := stringvalidator.RegexMatches(regexp.MustCompile(`^\P{Cc}*$`), "must have no control characters, such as line breaks")
	text := func(atMost int, description string) schema.StringAttribute {
		return schema.StringAttribute{
			Optional: true, Validators: []validator.String{stringvalidator.UTF8LengthBetween(1, atMost), printable},
			MarkdownDescription: fmt.Sprintf("%s At most %d characters. Default: none.", description, atMost),
		}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "The subject of the certificate; at most one block. Default: an empty subject. A change makes the request anew.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"common_name":         text(64, "Common name (CN)."),
			"organization":        text(64, "Organization (O)."),
			"organizational_unit": text(64, "Organizational unit (OU)."),
			"street_address": schema.ListAttribute{
				Optional: true, ElementType: types.StringType, MarkdownDescription: "Lines of the street address (STREET), at most 128 characters each. A request keeps no order among them: write what has to stay together as one. Default: none.",
				Validators: []validator.List{noNulls{}, listvalidator.ValueStringsAre(stringvalidator.UTF8LengthBetween(1, 128), printable)},
			},
			"locality": text(128, "Locality, such as a town (L)."),
			"province": text(128, "Province or state (ST)."),
			"country": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.RegexMatches(regexp.MustCompile("^[A-Z]{2}$"), "must be the two capital letters of ISO 3166, for example \"CH\"")},
				MarkdownDescription: "Country, by its two letters (C). Default: none.",
			},
			"postal_code": text(40, "Postal code (PC)."),
			"serial_number": schema.StringAttribute{
				Optional: true, Validators: []validator.String{
					stringvalidator.RegexMatches(regexp.MustCompile("^[A-Za-z0-9 '()+,./:=?-]{1,64}$"), "must be 1 to 64 of: letters A to Z and a to z, digits, space, ' ( ) + , - . / : = ?"),
				},
				MarkdownDescription: "Serial number of the subject (SERIALNUMBER), which is not that of the certificate. At most 64 characters of a PrintableString: ASCII letters, digits, space and `'()+,-./:=?`. Default: none.",
			},
		}},
	}
}
