package provider

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// For the tests, which are in a package of their own.
var (
	Explain       = explain
	ParseDuration = parseDuration
	ParseMoment   = parseMoment
)

// Longest is the longest duration that can be given.
const Longest = time.Duration(longest) * time.Hour

// DurationValidator is what arguments for durations are validated with.
func DurationValidator(orZero bool) validator.String { return durationValidator{orZero} }
