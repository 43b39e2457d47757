package rotation

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Verb is what a step does to a version.
type Verb string

// The verbs.
const (
	Activate Verb = "activate" // let it protect; its predecessor stops
	Demote   Verb = "demote"   // take away what only an active version may do
	Retire   Verb = "retire"   // its overlap has ended
	Enforce  Verb = "enforce"  // the HSM allows something else than the record
	Recover  Verb = "recover"  // finish what a killed run left
)

// Step is one transition that is due.
type Step struct {
	Verb    Verb
	Version int
}

// String returns the step as users see it in a plan: "retire 1".
func (s Step) String() string { return fmt.Sprintf("%s %d", s.Verb, s.Version) }

// ParseStep reads what String wrote; anything else is fault.Invalid.
func ParseStep(text string) (Step, error) {
	verb, number, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	switch Verb(verb) {
	case Activate, Demote, Retire, Enforce, Recover:
		if err == nil && n >= 0 {
			return Step{Verb(verb), n}, nil
		}
	}
	return Step{}, &fault.Error{Kind: fault.Invalid, Op: "read transition", Subject: fmt.Sprintf("%q", text), Problem: "This is not a transition.", Hint: "The state was changed by hand: put it right with `terraform apply -refresh-only`.", Cause: err}
}
