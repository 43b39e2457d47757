package keyring

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// MechanismInfo is what a token says of one mechanism.
type MechanismInfo struct {
	MinKeySize, MaxKeySize int      // in the unit of the mechanism: bits for RSA and EC, mostly bytes for AES
	Uses                   []string // "sign", "generate_key_pair", …: the CKF_ flags in lower case, sorted
	// Algorithms are those whose keys the mechanism works with: empty if it belongs to
	// other kinds of keys, nil if that is not known.
	Algorithms []Algorithm
}

// serves reports whether a key of an algorithm may be able to perform an operation by
// the mechanism. What is not known, and flags that the token leaves out altogether,
// do not stand against it.
func (m MechanismInfo) serves(a Algorithm, op string) bool {
	uses := slices.DeleteFunc(slices.Clone(m.Uses), func(use string) bool { return use == "hw" })
	return (m.Algorithms == nil || slices.Contains(m.Algorithms, a)) && (len(uses) == 0 || slices.Contains(uses, op))
}

// Capabilities is what a token can do, as far as that can be known without
// making a key that stays.
type Capabilities struct {
	// Mechanisms are those the token lists. Some tokens list more than they do.
	Mechanisms map[Mechanism]MechanismInfo
	// Algorithms maps what can be generated here to what it can then do.
	Algorithms map[Algorithm]Operations
	// RestrictsMechanisms says that CKA_ALLOWED_MECHANISMS is understood.
	RestrictsMechanisms bool
	// KeepsRecords says that private data objects are taken, which is where the
	// provider keeps its records.
	KeepsRecords bool
	// Enforcement and Attests come from trying with a throw-away session key:
	// whether an operation that was switched off is refused, and whether the
	// birth certificate is reported truthfully.
	Enforcement Enforcement
	Attests     bool
}

// Check refuses (fault.Unsupported) a spec that this token cannot satisfy, and
// names what it can do instead.
func (c Capabilities) Check(s Spec) error {
	unsupported := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Unsupported, Op: "check key against token", Subject: fmt.Sprintf("key %q", s.Name), Problem: problem, Hint: hint}
	}
	possible, ok := c.Algorithms[s.Algorithm]
	if !ok {
		return unsupported(fmt.Sprintf("This token cannot make %s keys.", s.Algorithm), "It can make: "+join(c.algorithmNames())+".")
	}
	if extra := s.Operations &^ possible; extra != 0 {
		return unsupported(fmt.Sprintf("On this token an %s key cannot %s.", s.Algorithm, extra), fmt.Sprintf("It can: %s.", possible))
	}
	if len(s.AllowedMechanisms) > 0 && !c.RestrictsMechanisms {
		return unsupported("This token cannot restrict a key to certain mechanisms (CKA_ALLOWED_MECHANISMS).", "Leave allowed_mechanisms out.")
	}
	for _, m := range s.AllowedMechanisms {
		if _, ok := c.Mechanisms[m]; !ok {
			return unsupported(fmt.Sprintf("This token has no mechanism %s.", m), "It has: "+join(c.mechanismNames())+".")
		}
	}
	if op, ok := c.unserved(s); ok {
		return unsupported(fmt.Sprintf("None of the allowed mechanisms lets an %s key %s on this token.", s.Algorithm, op),
			fmt.Sprintf("To %s, such a key can use: %s. Allow one of them, or take %q out of operations.", op, join(c.serving(s.Algorithm, op)), op))
	}
	return nil
}

// unserved returns the first operation of a spec that no allowed mechanism can perform.
func (c Capabilities) unserved(s Spec) (op string, ok bool) {
	if len(s.AllowedMechanisms) == 0 {
		return "", false
	}
	for _, op := range s.Operations.Names() {
		if !slices.ContainsFunc(s.AllowedMechanisms, func(m Mechanism) bool { return c.Mechanisms[m].serves(s.Algorithm, op) }) {
			return op, true
		}
	}
	return "", false
}

// serving lists the mechanisms that are known to do an operation with an algorithm.
func (c Capabilities) serving(a Algorithm, op string) []string {
	var names []string
	for _, m := range slices.Sorted(maps.Keys(c.Mechanisms)) {
		if info := c.Mechanisms[m]; slices.Contains(info.Algorithms, a) && info.serves(a, op) {
			names = append(names, string(m))
		}
	}
	return names
}

func (c Capabilities) algorithmNames() []string {
	var names []string
	for _, a := range Algorithms() {
		if _, ok := c.Algorithms[a]; ok {
			names = append(names, string(a))
		}
	}
	return names
}

func (c Capabilities) mechanismNames() []string {
	var names []string
	for _, m := range slices.Sorted(maps.Keys(c.Mechanisms)) {
		names = append(names, string(m))
	}
	return names
}

func join(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
