package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// credentialArguments are the arguments that a fault of package credential may be
// about: its subject is then the argument's name.
var credentialArguments = []string{
	"name", "owner", "tags", "enabled", "type", "public_key", "algorithm", "recipients",
	"expires_at", "valid_for", "rotate_every", "overlap", "rotate_when_changed", "revoke",
}

// report translates what is wrong with the arguments: one diagnostic for each thing,
// at the argument that its subject names.
func (m apiCredentialModel) report(diags *diag.Diagnostics, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			m.report(diags, each)
		}
		return
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !slices.Contains(credentialArguments, f.Subject) {
		report(diags, err)
		return
	}
	m.reportAt(diags, f.Subject, err)
}

// reportAt points a diagnostic at an argument, unless a private key may be in it: the
// CLI would quote its lines of the configuration. The text names the argument then, and
// the diagnostic is about the whole block.
func (m apiCredentialModel) reportAt(diags *diag.Diagnostics, argument string, err error) {
	if err == nil {
		return
	}
	about := fault.Error{Kind: fault.KindOf(err), Cause: err}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		about = *f
	}
	if m.mayBePrivate(argument) {
		about.Subject = "argument " + argument
		report(diags, &about)
		return
	}
	about.Subject = "" // the path says it
	report(diags, &about, path.Root(argument))
}

// mayBePrivate reports whether something in an argument that is for public keys may be
// a private one.
func (m apiCredentialModel) mayBePrivate(argument string) bool {
	switch argument {
	case "public_key":
		return mayBePrivate(m.PublicKey.ValueString())
	case "recipients":
		return slices.ContainsFunc(m.Recipients.Elements(), func(element attr.Value) bool {
			written, ok := element.(types.String)
			return ok && mayBePrivate(written.ValueString())
		})
	}
	return false
}

// publicMarks are what a public key or a recipient begins with.
var publicMarks = []string{"-----BEGIN ", "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-", "age1"}

// mayBePrivate reports whether a text looks like a private key, or is as long as the
// bare bytes of one and does not look like a public one.
func mayBePrivate(text string) bool {
	text = strings.TrimSpace(text)
	isBegun := slices.ContainsFunc(publicMarks, func(mark string) bool { return strings.HasPrefix(text, mark) })
	return credential.IsPrivate(text) || len(text) >= 32 && !isBegun
}

// momentOf reads a time, the zero time if none is given or known.
func momentOf(value types.String, diags *diag.Diagnostics) time.Time {
	if value.IsNull() || value.IsUnknown() {
		return time.Time{}
	}
	moment, err := parseMoment(value.ValueString())
	report(diags, err)
	return moment
}

// parseMoment reads a time. The first one that there is stands for none in the records,
// and in them are no years of more or less than four digits, as there may be in UTC only.
func parseMoment(text string) (time.Time, error) {
	moment, err := time.Parse(time.RFC3339, text)
	moment = moment.UTC()
	if err != nil || moment.IsZero() || moment.Year() < 0 || moment.Year() > 9999 {
		return time.Time{}, &fault.Error{
			Kind: fault.Invalid, Op: "use time", Problem: fmt.Sprintf("%q is not a time as in RFC 3339.", text),
			Hint: `Give date, time and zone, for example "2027-03-31T18:00:00Z" or "2027-03-31T20:00:00+02:00".`,
		}
	}
	return moment, nil
}

// momentValidator accepts times as in RFC 3339.
type momentValidator struct{}

func (momentValidator) Description(context.Context) string {
	return `a time as in RFC 3339, such as "2027-03-31T18:00:00Z"`
}

func (v momentValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (momentValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !req.ConfigValue.IsNull() && !req.ConfigValue.IsUnknown() {
		_, err := parseMoment(req.ConfigValue.ValueString())
		report(&resp.Diagnostics, err, req.Path)
	}
}
