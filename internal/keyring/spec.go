package keyring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Mechanism is a PKCS#11 mechanism by its name, "CKM_ECDSA_SHA256".
type Mechanism string

// OnDestroy says what becomes of a key whose declaration is removed.
type OnDestroy string

// What becomes of a removed key: its versions are switched off in the HSM and
// the record stays (disable), every object is destroyed and the record stays as
// a tombstone (destroy), or everything stays as it is (retain).
const (
	DestroyDisables OnDestroy = "disable"
	DestroyDestroys OnDestroy = "destroy"
	DestroyRetains  OnDestroy = "retain"
)

// Spec is what an owner asks of a key.
type Spec struct {
	Name string `json:"name"`
	// Algorithm, AllowedMechanisms and a widened Extractable hold for the next
	// version; versions that exist keep what they were generated with.
	Algorithm         Algorithm   `json:"algorithm"`
	AllowedMechanisms []Mechanism `json:"allowed_mechanisms,omitempty"` // sorted; nil allows all
	Extractable       bool        `json:"extractable,omitempty"`
	// Operations hold at once for every version of this algorithm.
	Operations         Operations        `json:"operations"`
	Tags               map[string]string `json:"tags,omitempty"`
	Enabled            bool              `json:"enabled"`
	DeletionProtection bool              `json:"deletion_protection"`
	OnDestroy          OnDestroy         `json:"on_destroy"`
	// Import says where the material of the key's first version, or of a later one that
	// was given by hand, came from; nil if the HSM generates every version.
	Import *Import `json:"import,omitempty"`
}

var (
	// A name is also part of object labels and PKCS#11 URIs, so it keeps to
	// characters that need no escaping in either. Patterns are compiled when they are
	// needed first: every command of the CLI starts the provider, most for its schema only.
	namePattern      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })
	mechanismPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^CKM_[A-Z0-9_]+$`) })
)

// DerivationKeyName is the name of the environment's key from which secrets are
// derived. No owner can give a key this name.
const DerivationKeyName = ".derivation"

// AuditKeyName is the name of the environment's key that signs the audit log. No owner can
// give a key this name either.
const AuditKeyName = ".audit"

// IsReserved reports whether a name is one that no owner can give a key.
func IsReserved(name string) bool { return name == DerivationKeyName || name == AuditKeyName }

// ValidateName refuses (fault.Invalid) a name that could not be a key's.
func ValidateName(name string) error {
	if namePattern().MatchString(name) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "read key name", Subject: fmt.Sprintf("name %q", name),
		Problem: "This is not a usable key name.",
		Hint:    "Use 1 to 63 letters, digits, dots, underscores and hyphens; start with a letter or a digit.",
	}
}

// Validate refuses (fault.Invalid) a spec that no token could satisfy. Whether
// this token can is a question for Capabilities.Check.
func (s Spec) Validate() error {
	if !IsReserved(s.Name) {
		if err := ValidateName(s.Name); err != nil {
			return err
		}
	}
	if _, err := ParseAlgorithm(string(s.Algorithm)); err != nil {
		return err
	}
	invalid := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Invalid, Op: "declare key", Problem: problem, Hint: hint}
	}
	possible := s.Algorithm.Operations()
	if extra := s.Operations &^ possible; extra != 0 {
		return invalid(fmt.Sprintf("An %s key cannot %s.", s.Algorithm, extra),
			fmt.Sprintf("Operations of %s are: %s.", s.Algorithm, possible))
	}
	if s.Operations == None {
		return invalid("A key without any operation is of no use.", "Name at least one of: "+possible.String()+".")
	}
	for _, m := range s.AllowedMechanisms {
		if !mechanismPattern().MatchString(string(m)) {
			return invalid(fmt.Sprintf("%q is not the name of a PKCS#11 mechanism.", m), `Use names as in the standard, for example "CKM_ECDSA".`)
		}
	}
	if !slices.Contains([]OnDestroy{DestroyDisables, DestroyDestroys, DestroyRetains}, s.OnDestroy) {
		return invalid(fmt.Sprintf("on_destroy cannot be %q.", s.OnDestroy),
			"Use "+strings.Join([]string{string(DestroyDisables), string(DestroyDestroys), string(DestroyRetains)}, ", ")+".")
	}
	if s.Import != nil {
		return s.Import.validate(s)
	}
	return nil
}
