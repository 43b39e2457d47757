package provider_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// wantInvalid holds an error to what somebody needs who has mistyped something.
func wantInvalid(t *testing.T, text string, err error) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || f.Problem == "" || f.Hint == "" {
		t.Errorf("%q: the error is %+v", text, err)
	}
}

// FuzzDuration compares with what a duration means by its parts, added up without limits.
func FuzzDuration(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		d, err := provider.ParseDuration(text)
		sum, parts, isDuration := meaning(text)
		limit := new(big.Rat).SetInt64(math.MaxInt64)
		switch {
		case err != nil:
			wantInvalid(t, text, err)
			if isDuration && sum.Cmp(new(big.Rat).Sub(limit, big.NewRat(parts, 1))) < 0 {
				t.Errorf("%q is %s ns, and is refused: %v", text, sum.FloatString(0), err)
			}
		case !isDuration:
			t.Errorf("%q is no duration, and is read as %s", text, d)
		case d == math.MinInt64:
			if sum.Cmp(new(big.Rat).Neg(limit)) >= 0 {
				t.Errorf("%q is %s ns, and is read as the least there is", text, sum.FloatString(0))
			}
		default:
			off := sum.Sub(sum, new(big.Rat).SetInt64(int64(d)))
			if off.Abs(off).Cmp(big.NewRat(parts, 1)) > 0 { // a part may be rounded to nanoseconds
				t.Errorf("%q is read as %s, which is %s ns off", text, d, off.FloatString(3))
			}
			if again, err := provider.ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("%q is read as %s, and that as %s, %v", text, d, again, err)
			}
		}
		for _, orZero := range []bool{false, true} {
			var resp validator.StringResponse
			provider.DurationValidator(orZero).ValidateString(t.Context(), validator.StringRequest{ConfigValue: types.StringValue(text)}, &resp)
			if fits := err == nil && (d >= time.Second || orZero && d == 0); fits == resp.Diagnostics.HasError() {
				t.Errorf("%q, %s: %v, %v", text, d, resp.Diagnostics, err)
			}
			for _, each := range resp.Diagnostics {
				if each.Summary() == "" || strings.TrimSpace(each.Detail()) == "" {
					t.Errorf("%q: the diagnostic is empty: %v", text, each)
				}
			}
		}
	})
}

var durationPart = regexp.MustCompile(`^([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)`)

// meaning is a duration in nanoseconds, and how many parts it has.
func meaning(text string) (sum *big.Rat, parts int64, ok bool) {
	sum = new(big.Rat)
	rest := strings.TrimLeft(text, "+-")
	if len(text)-len(rest) > 1 {
		return nil, 0, false
	}
	if rest == "0" {
		return sum, 0, true
	}
	units := map[string]int64{"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 6e10, "h": 36e11}
	for rest != "" {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil || part[1]+part[2] == "" {
			return nil, 0, false
		}
		value, isNumber := new(big.Rat).SetString("0" + part[1] + "." + part[2] + "0")
		if !isNumber {
			return nil, 0, false
		}
		sum.Add(sum, value.Mul(value, big.NewRat(units[part[3]], 1)))
		parts++
		rest = rest[len(part[0]):]
	}
	if strings.HasPrefix(text, "-") {
		sum.Neg(sum)
	}
	return sum, parts, parts > 0
}

// FuzzMoment: a time that is accepted can be recorded, and is one.
func FuzzMoment(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		moment, err := provider.ParseMoment(text)
		if err != nil {
			wantInvalid(t, text, err)
			return
		}
		if moment.IsZero() || moment.Location() != time.UTC {
			t.Errorf("%q is read as %s, which means that there is none", text, moment)
		}
		stored, err := json.Marshal(moment)
		if err != nil {
			t.Fatalf("%q is read as %s, and cannot be recorded: %v", text, moment, err)
		}
		var back time.Time
		if err := json.Unmarshal(stored, &back); err != nil || !back.Equal(moment) {
			t.Errorf("%q is recorded as %s, and read as %s, %v", text, stored, back, err)
		}
		if again, err := provider.ParseMoment(moment.Format(time.RFC3339Nano)); err != nil || !again.Equal(moment) {
			t.Errorf("%q is read as %s, and that as %s, %v", text, moment, again, err)
		}
	})
}
