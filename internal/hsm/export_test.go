package hsm

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Device lets tests stand between the package and the token.
type Device = device

// NewOn is New on a device that a test has made.
func NewOn(d Device) *Token { return &Token{device: d} }

// WorksWith is worksWith by a mechanism's name.
func WorksWith(t *testing.T, name string) []keyring.Algorithm {
	t.Helper()
	code, ok := cryptoki.MechanismCode(name)
	if !ok {
		t.Fatalf("there is no mechanism %s", name)
	}
	return worksWith(code)
}
