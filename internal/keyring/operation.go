package keyring

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Operations is a set of things that a key may do. The zero value is the empty set.
type Operations uint8

// The operations. Sign covers making a MAC, Verify covers checking one.
const (
	Sign Operations = 1 << iota
	Verify
	Encrypt
	Decrypt
	Wrap
	Unwrap
	Derive
)

// None is the empty set; All is every operation there is.
const (
	None Operations = 0
	All             = Sign | Verify | Encrypt | Decrypt | Wrap | Unwrap | Derive

	// Protecting operations apply protection to new data; a version that is not
	// active must not perform them (SP 800-57 part 1, section 7.3).
	Protecting = Sign | Encrypt | Wrap
	// Processing operations undo or check protection that was applied before; a
	// deactivated version may still perform them. Derive is among them: what was
	// encrypted to a key-agreement key can be read only by deriving again.
	Processing = Verify | Decrypt | Unwrap | Derive
)

var operationNames = [...]string{"sign", "verify", "encrypt", "decrypt", "wrap", "unwrap", "derive"}

// OperationNames lists every operation by name, in the order of the constants.
func OperationNames() []string { return append([]string(nil), operationNames[:]...) }

// ParseOperations returns the set of the named operations. An unknown name is
// fault.Invalid and lists the known ones.
func ParseOperations(names []string) (Operations, error) {
	var set Operations
next:
	for _, name := range names {
		for i, known := range operationNames {
			if name == known {
				set |= 1 << i
				continue next
			}
		}
		return 0, &fault.Error{
			Kind: fault.Invalid, Op: "read operations", Subject: fmt.Sprintf("operation %q", name),
			Problem: "There is no such operation.", Hint: "Use one of " + strings.Join(operationNames[:], ", ") + ".",
		}
	}
	return set, nil
}

// Has reports whether every operation of other is in the set.
func (o Operations) Has(other Operations) bool { return o&other == other }

// Names lists the set's members in a fixed order; empty, never nil, for the empty set.
func (o Operations) Names() []string {
	names := make([]string, 0, len(operationNames))
	for i, name := range operationNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String joins the names with commas; "nothing" for the empty set.
func (o Operations) String() string {
	if o == 0 {
		return "nothing"
	}
	return strings.Join(o.Names(), ", ")
}

// MarshalJSON writes the set as an array of names.
func (o Operations) MarshalJSON() ([]byte, error) { return json.Marshal(o.Names()) }

// UnmarshalJSON reads an array of names.
func (o *Operations) UnmarshalJSON(data []byte) error {
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return err
	}
	set, err := ParseOperations(names)
	if err != nil {
		return err
	}
	*o = set
	return nil
}
