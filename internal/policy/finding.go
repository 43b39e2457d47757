package policy

import "fmt"

// Severity says what is to be done about a finding.
type Severity uint8

// The severities.
const (
	Mistake Severity = iota // the policy cannot be used
	Caution                 // it can, and somebody should have a second look
)

// Finding is something about a policy that a person should know.
type Finding struct {
	Severity Severity
	At       Place
	About    string // of a caution: what At is in, in words: "statement 2", `Cedar policy "desk"`
	Title    string // of a caution: the problem in a few words
	Problem  string // a sentence
	Hint     string // what to do about it, a sentence; may be empty
	// IsPassing says that it is so because of what there is not, and ends when somebody adds
	// that to the environment.
	IsPassing bool
}

// Place is where in a Spec a finding is.
type Place struct {
	// Statement is the index of a statement, -1 for the policy as a whole or its Cedar text.
	Statement int
	// Field is the name of a field as in JSON, "principals", "condition.hours.from";
	// "cedar" for the text; empty for all of the statement or policy.
	Field string
	// Element is the element in question of a list field, empty for all of it.
	Element string
}

// suffix is the place for the end of a subject, ", statement 2, principals"; empty for the
// policy as a whole.
func (p Place) suffix() string {
	var s string
	if p.Statement >= 0 {
		s = fmt.Sprintf(", statement %d", p.Statement+1)
	}
	if p.Field != "" {
		s += ", " + p.Field
	}
	return s
}
