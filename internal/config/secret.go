// Package config is what an operator can set.
package config

// Secret redacts itself.
type Secret struct{ value *[]byte }

// NewSecret keeps a copy of value.
func NewSecret[T string | []byte](value T) Secret { panic("not yet") }

// IsEmpty reports whether there is nothing in it.
func (s Secret) IsEmpty() bool { panic("not yet") }

// Reveal returns a copy.
func (s Secret) Reveal() []byte { panic("not yet") }
