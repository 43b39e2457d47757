package lifecycletest_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCatalogContract(t *testing.T) {
	catalogtest.Suite[*keyring.Key]{
		Body: catalogtest.Key, Spoil: catalogtest.SpoilKey,
		Fresh: func(*testing.T) func() catalogtest.Store[*keyring.Key] {
			m := lifecycletest.New(noon)
			return func() catalogtest.Store[*keyring.Key] { return m.Store() }
		},
	}.Run(t)
}

var order = lifecycle.Generation{
	Ref: keyring.Ref{ID: "beef", Label: "orders:1", Pair: true}, Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify,
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s: %v, want a fault of kind %q", what, err, want)
	}
}

// TestAbsence: what the token says of a ref that it holds nothing of.
func TestAbsence(t *testing.T) {
	token := lifecycletest.New(noon).Config().Token
	seen, err := token.Inspect(t.Context(), order.Ref, keyring.All)
	if err != nil || seen.Secrets+seen.Publics > 0 || seen.Permitted|seen.Refused|seen.Performed != keyring.None || seen.PublicKey != nil {
		t.Errorf("Inspect sees %+v, %v", seen, err)
	}
	_, err = token.Permit(t.Context(), order.Ref, keyring.None)
	wantKind(t, "Permit", err, fault.NotFound)
	_, err = token.Find(t.Context(), lifecycle.Locator{ID: "beef"})
	wantKind(t, "Find", err, fault.NotFound)
	if err := token.Destroy(t.Context(), order.Ref, true); err != nil {
		t.Errorf("Destroy: %v", err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	m := lifecycletest.New(noon)
	m.MakeElsewhere(t, "beef", "legacy")
	rsa, derive, single := order, order, order
	rsa.Algorithm, derive.Operations, single.Ref.Pair = keyring.RSA2048, keyring.Derive, false
	for name, tc := range map[string]struct {
		order lifecycle.Generation
		want  fault.Kind
	}{
		"CKA_ID used before": {order, fault.Internal}, "another algorithm": {rsa, fault.Unsupported},
		"another operation": {derive, fault.Unsupported}, "half a pair": {single, fault.Internal},
	} {
		_, err := m.Config().Token.Generate(t.Context(), tc.order)
		wantKind(t, name, err, tc.want)
	}
	if len(m.Objects) != 1 {
		t.Errorf("%d objects", len(m.Objects))
	}
}

// TestProve: what was made is what it says, as long as nobody replaced it and it may
// do something.
func TestProve(t *testing.T) {
	m := lifecycletest.New(noon)
	token := m.Config().Token
	made, err := token.Generate(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		change func(o *lifecycletest.Objects)
		want   lifecycle.Proof
	}{
		{func(*lifecycletest.Objects) {}, lifecycle.Proven},
		{func(o *lifecycletest.Objects) { o.Allowed = keyring.Verify }, lifecycle.Untried},
		{func(o *lifecycletest.Objects) { o.Allowed, o.Material = keyring.Sign, "another" }, lifecycle.Disproven},
		{func(o *lifecycletest.Objects) { o.Secrets = 2 }, lifecycle.Untried},
		{func(*lifecycletest.Objects) { clear(m.Objects) }, lifecycle.Untried},
	} {
		step.change(m.Objects[order.Ref.ID])
		if got, err := token.Prove(t.Context(), order.Ref, made.PublicKey, made.Fingerprint); got != step.want || err != nil {
			t.Errorf("%d, %v, want %d", got, err, step.want)
		}
	}
}

func TestFind(t *testing.T) {
	m := lifecycletest.New(noon)
	m.MakeElsewhere(t, "beef", "legacy")
	m.MakeElsewhere(t, "cafe", "legacy")
	token := m.Config().Token
	_, err := token.Find(t.Context(), lifecycle.Locator{Label: "legacy"})
	wantKind(t, "two of one label", err, fault.Inconsistent)
	_, err = token.Find(t.Context(), lifecycle.Locator{ID: "cafe", Class: "secret-key"})
	wantKind(t, "a pair as a secret key", err, fault.NotFound)
	found, err := token.Find(t.Context(), lifecycle.Locator{ID: "cafe", Class: "private"})
	if err != nil || found.Ref.ID != "cafe" || found.Birth.Local || found.Fingerprint != found.PublicKey.Fingerprint() {
		t.Errorf("found %+v, %v", found, err)
	}
	if alg, err := found.PublicKey.Algorithm(); err != nil || alg != keyring.ECP256 {
		t.Errorf("the public key is of %q, %v", alg, err)
	}
}

// TestKilledPermit: a copy that was not finished leaves two objects that together
// allow what either does, and calling again cleans up.
func TestKilledPermit(t *testing.T) {
	for name, tc := range map[string]struct {
		nth              int
		when             lifecycletest.When
		secrets, publics int
		permitted        keyring.Operations
	}{
		"before the private copy":      {3, lifecycletest.Before, 1, 1, keyring.Sign | keyring.Verify},
		"after the private copy":       {3, lifecycletest.After, 2, 1, keyring.Sign | keyring.Verify},
		"after the private was closed": {4, lifecycletest.After, 1, 1, keyring.Verify},
		"after the public copy":        {5, lifecycletest.After, 1, 2, keyring.Verify},
		"after the last write":         {6, lifecycletest.After, 1, 1, keyring.None},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifecycletest.New(noon)
			dying, next := m.Doomed(tc.nth, tc.when).Token, m.Config().Token
			if _, err := dying.Generate(t.Context(), order); err != nil {
				t.Fatal(err)
			}
			_, err := dying.Permit(t.Context(), order.Ref, keyring.None)
			wantKind(t, "the killed call", err, fault.Unavailable)
			_, err = dying.Info(t.Context())
			wantKind(t, "a call of the dead", err, fault.Unavailable)

			seen, err := next.Inspect(t.Context(), order.Ref, keyring.None)
			if err != nil || seen.Secrets != tc.secrets || seen.Publics != tc.publics || seen.Permitted != tc.permitted {
				t.Errorf("left is %+v, %v", seen, err)
			}
			if _, err := next.Permit(t.Context(), order.Ref, keyring.Verify); err != nil {
				t.Fatal(err)
			}
			seen, err = next.Inspect(t.Context(), order.Ref, keyring.All)
			if err != nil || seen.Secrets != 1 || seen.Publics != 1 || seen.Permitted != keyring.Verify || seen.Refused != keyring.All&^keyring.Verify {
				t.Errorf("after another call there is %+v, %v", seen, err)
			}
		})
	}
}

func TestKilledDestroy(t *testing.T) {
	m := lifecycletest.New(noon)
	m.MakeElsewhere(t, order.Ref.ID, "legacy")
	err := m.Doomed(1, lifecycletest.After).Token.Destroy(t.Context(), order.Ref, true)
	wantKind(t, "the killed call", err, fault.Unavailable)
	if o := m.Objects[order.Ref.ID]; o == nil || o.Secrets != 0 || o.Publics != 1 {
		t.Errorf("left is %+v, want the public half", o)
	}
	if err := m.Config().Token.Destroy(t.Context(), order.Ref, true); err != nil || len(m.Objects) != 0 {
		t.Errorf("%d objects left, %v", len(m.Objects), err)
	}
}

// TestTrouble: everything fails with it, and works again without it.
func TestTrouble(t *testing.T) {
	m := lifecycletest.New(noon)
	m.Trouble = &fault.Error{Kind: fault.Exhausted, Op: "do it"}
	c := m.Config()
	_, err := c.Token.Generate(t.Context(), order)
	wantKind(t, "Generate", err, fault.Exhausted)
	wantKind(t, "Stamp", c.Environment.Stamp(t.Context()), fault.Exhausted)
	if len(m.Objects) != 0 || m.Stamp != "" || m.Writes() != 0 {
		t.Error("something was written")
	}
	m.Trouble = nil
	if err := c.Environment.Stamp(t.Context()); err != nil || m.Stamp != "test" || m.Writes() != 1 {
		t.Errorf("stamped %q with %d writes, %v", m.Stamp, m.Writes(), err)
	}
}
