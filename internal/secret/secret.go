// Package secret holds what must not be printed.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Value is a PIN or a shared secret. Whatever prints, formats, logs or encodes it shows
// "[redacted]"; only Reveal gives it away. The zero value is no secret.
type Value struct {
	// A pointer to a string, because fmt asks no method of a Value that is in an
	// unexported field of some struct. There it prints values and, for a verb that
	// does not fit, follows even a pointer to a slice; a pointer to a string it
	// prints as an address, always.
	value *string
}

// New keeps a copy of value. An empty value makes the zero Value.
func New[T string | []byte](value T) Value {
	if len(value) == 0 {
		return Value{}
	}
	kept := string(value)
	return Value{value: &kept}
}

// IsEmpty reports whether there is no secret.
func (s Value) IsEmpty() bool { return s.value == nil }

// Reveal returns a copy, for the caller to overwrite after use; nil if there is
// no secret.
func (s Value) Reveal() []byte {
	if s.value == nil {
		return nil
	}
	return []byte(*s.value)
}

// String redacts.
func (Value) String() string { return redacted }

// GoString redacts.
func (Value) GoString() string { return redacted }

// Format redacts, whatever the verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON redacts.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue redacts.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }
