package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// durationOf reads a duration, 0 if none is given or known.
func durationOf(value types.String, diags *diag.Diagnostics) time.Duration {
	if value.IsNull() || value.IsUnknown() {
		return 0
	}
	d, err := time.ParseDuration(value.ValueString())
	if err != nil {
		report(diags, &fault.Error{
			Kind: fault.Invalid, Op: "read duration", Problem: fmt.Sprintf("%q is not a duration.", value.ValueString()),
			Hint: "Use hours, minutes and seconds, for example \"2160h\" for 90 days or \"12h30m\".",
		})
	}
	return d
}

// durationValidator accepts durations of at least a second, the unit in which
// times are recorded.
type durationValidator struct{ orZero bool }

func (v durationValidator) Description(context.Context) string {
	if v.orZero {
		return `a duration such as "24h", or "0s"`
	}
	return `a duration of at least a second, such as "2160h"`
}

func (v durationValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v durationValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	var unparsable diag.Diagnostics
	d := durationOf(req.ConfigValue, &unparsable)
	for _, each := range unparsable {
		resp.Diagnostics.AddAttributeError(req.Path, each.Summary(), each.Detail())
	}
	if len(unparsable) > 0 || req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || d >= time.Second || v.orZero && d == 0 {
		return
	}
	report(&resp.Diagnostics, &fault.Error{
		Kind: fault.Invalid, Op: "use duration", Subject: req.Path.String(), Problem: fmt.Sprintf("%q is too short.", req.ConfigValue.ValueString()),
		Hint: "Give " + v.Description(context.Background()) + ".",
	}, req.Path)
}
