package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a PIN. Whatever prints, formats, logs or encodes it shows
// "[redacted]"; only Reveal gives it away. The zero value is no secret.
type Secret struct {
	// A pointer to a string, because fmt asks no method of a Secret that is in an
	// unexported field of some struct. There it prints values and, for a verb that
	// does not fit, follows even a pointer to a slice; a pointer to a string it
	// prints as an address, always.
	value *string
}

// NewSecret keeps a copy of value. An empty value makes the zero Secret.
func NewSecret[T string | []byte](value T) Secret {
	if len(value) == 0 {
		return Secret{}
	}
	kept := string(value)
	return Secret{value: &kept}
}

// IsEmpty reports whether there is no secret.
func (s Secret) IsEmpty() bool { return s.value == nil }

// Reveal returns a copy, for the caller to overwrite after use; nil if there is
// no secret.
func (s Secret) Reveal() []byte {
	if s.value == nil {
		return nil
	}
	return []byte(*s.value)
}

// String redacts.
func (Secret) String() string { return redacted }

// GoString redacts.
func (Secret) GoString() string { return redacted }

// Format redacts, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText redacts.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON redacts.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
