package token_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// stampedMeanwhile is a token that another run stamps and fills between the first look at
// its stamp and the first look at its records.
type stampedMeanwhile struct {
	shelf
	change func(*shelf)
}

func (s *stampedMeanwhile) Objects(ctx context.Context) ([]cryptoki.Object, error) {
	s.change(&s.shelf)
	return s.shelf.Objects(ctx)
}

// TestStampedMeanwhile: the first change of a token is not taken for a lost stamp by those
// that plan at the same time, and a lost stamp is noticed.
func TestStampedMeanwhile(t *testing.T) {
	record := func(s *shelf) {
		s.put("key/k", sealed(t, "key", "k", 1, json.RawMessage(`{"name":"k"}`)))
	}
	s := &stampedMeanwhile{change: func(s *shelf) {
		s.put("environment", sealed(t, token.KindEnvironment, "", 1, json.RawMessage(`{"environment":"test"}`)))
		record(s)
	}}
	if name, err := token.New(s).Environment(t.Context()); name != "test" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	_, err := token.New(&stampedMeanwhile{change: record}).Environment(t.Context())
	if !fault.Is(err, fault.Inconsistent) || !strings.Contains(err.Error(), "not the marker") {
		t.Errorf("%v", err)
	}
}
