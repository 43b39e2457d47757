package hsm_test

import (
	"context"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// bench is a SoftHSM token, reached in three ways: by the package under test, by
// the layer below, and (Token.Tool) by an independent client.
type bench struct {
	*softhsm.Token
	hsm    *hsm.Token
	device *cryptoki.Token
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Token: softhsm.New(t, "hsm")}
	b.hsm, b.device = open(t, b.Token)
	return b
}

// open opens a token once more, as another run of the provider would.
func open(tb testing.TB, token *softhsm.Token) (*hsm.Token, *cryptoki.Token) {
	tb.Helper()
	device := cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Select: cryptoki.Selector{Serial: token.Serial},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	tb.Cleanup(func() {
		if err := device.Close(); err != nil {
			tb.Error(err)
		}
	})
	return hsm.New(device), device
}

// order orders a key under a fresh reference.
func order(name string, a keyring.Algorithm, ops keyring.Operations) lifecycle.Generation {
	return lifecycle.Generation{Ref: keyring.NewRef(name, 1, a), Algorithm: a, Operations: ops}
}

func (b *bench) generate(t *testing.T, o lifecycle.Generation) lifecycle.Generated {
	t.Helper()
	made, err := b.hsm.Generate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (b *bench) permit(t *testing.T, ref keyring.Ref, allowed keyring.Operations) keyring.Enforcement {
	t.Helper()
	e, err := b.hsm.Permit(t.Context(), ref, allowed)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *bench) inspect(t *testing.T, ref keyring.Ref, try keyring.Operations) lifecycle.Sighting {
	t.Helper()
	s, err := b.hsm.Inspect(t.Context(), ref, try)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// objects returns what is under an id on the token right now.
func (b *bench) objects(t *testing.T, id string) []cryptoki.Object {
	t.Helper()
	found, err := b.device.Search(context.Background(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, decode(t, id))})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
