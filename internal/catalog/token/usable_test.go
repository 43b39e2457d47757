package token_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// dataless is a token that keeps no data objects.
type dataless struct {
	shelf
	err error
}

func (d *dataless) KeepsData(context.Context) (bool, error) { return false, d.err }

// TestWithoutDataObjects: a token with no place for records is refused before anything
// is planned for it, and one that could not be asked is not called such a one.
func TestWithoutDataObjects(t *testing.T) {
	if _, err := token.New(&dataless{}).Environment(t.Context()); !fault.Is(err, fault.Unsupported) {
		t.Errorf("%v", err)
	}
	if err := token.New(&dataless{}).Stamp(t.Context(), "prod", "ada"); !fault.Is(err, fault.Unsupported) {
		t.Errorf("%v", err)
	}
	lost := &fault.Error{Kind: fault.Unavailable}
	if _, err := token.New(&dataless{err: lost}).Environment(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}
