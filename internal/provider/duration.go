package provider

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// longest is what a time.Duration holds, in whole hours.
const longest = math.MaxInt64 / int64(time.Hour)

// wellFormed is the form of a duration, however long. time.ParseDuration does not
// tell what is too long from what is no duration.
var wellFormed = regexp.MustCompile(`^[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)

// durationOf reads a duration, 0 if none is given or known.
func durationOf(value types.String, diags *diag.Diagnostics) time.Duration {
	if value.IsNull() || value.IsUnknown() {
		return 0
	}
	d, err := parseDuration(value.ValueString())
	report(diags, err)
	return d
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err == nil:
		return d, nil
	case !wellFormed.MatchString(text):
		return 0, unusableDuration(fmt.Sprintf("%q is not a duration.", text), `Use hours, minutes and seconds, for example "2160h" for 90 days or "12h30m".`)
	case strings.HasPrefix(text, "-"):
		return math.MinInt64, nil
	default:
		return 0, unusableDuration(fmt.Sprintf("%q is too long.", text), fmt.Sprintf("The maximum is \"%dh\", which is 292 years.", longest))
	}
}

func unusableDuration(problem, hint string) *fault.Error {
	return &fault.Error{Kind: fault.Invalid, Op: "use duration", Problem: problem, Hint: hint}
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

func (v durationValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	text := req.ConfigValue.ValueString()
	d, err := parseDuration(text)
	problem := ""
	switch {
	case err != nil, d >= time.Second, v.orZero && d == 0:
	case v.orZero && d < 0:
		problem = "must not be shorter than 0"
	case d <= 0:
		problem = "must be longer than 0"
	default:
		problem = "must be at least a second"
	}
	if problem != "" {
		err = unusableDuration(fmt.Sprintf("%s %s, and is %q.", req.Path, problem, text), "Give "+v.Description(ctx)+".")
	}
	report(&resp.Diagnostics, err, req.Path)
}
