package credential_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestIssue: a shared secret is in no record, and no two versions share one.
func TestIssue(t *testing.T) {
	b := newBench(t)
	c := b.create(bot())
	v := c.Versions[1]
	if c.Counter != 1 || len(c.Versions) != 1 || !v.CreatedAt.Equal(noon) || v.Algorithm != credential.HMACSHA256 || v.Root != 1 || len(v.Salt) != 32 {
		t.Errorf("%+v has version %+v", c, v)
	}
	if b.mark.name != "test" {
		t.Errorf("the token is stamped %q", b.mark.name)
	}
	secret := b.secret("bot", 1)
	if sum := sha256.Sum256(secret); len(secret) != 32 || v.Fingerprint != hex.EncodeToString(sum[:]) {
		t.Errorf("%d bytes with the fingerprint %s", len(secret), v.Fingerprint)
	}

	other := bot()
	other.Name, other.Algorithm = "bot-2", credential.HMACSHA512
	b.create(other)
	longer := b.secret("bot-2", 1)
	if len(longer) != 64 || bytes.Contains(longer, secret) || bytes.Equal(longer[:32], longer[32:]) {
		t.Errorf("%d bytes, of the same secret as the other's", len(longer))
	}
	if !bytes.Equal(secret, b.secret("bot", 0)) {
		t.Error("a second look gives another secret")
	}
	if len(b.store.Stored) != 2 {
		t.Errorf("%d records for two credentials", len(b.store.Stored))
	}
}

// TestIssuePublicKey: of a public key there is nothing to derive, and no key to make.
func TestIssuePublicKey(t *testing.T) {
	b := newBench(t)
	spec, _ := person(t)
	c := b.create(spec)
	if v := c.Versions[1]; v.Algorithm != credential.Ed25519 || !bytes.Equal(v.PublicKey, spec.PublicKey) || v.Fingerprint != spec.PublicKey.Fingerprint() || v.Salt != "" {
		t.Errorf("%+v", v)
	}
	if b.root.made != 0 || b.root.calls != 0 {
		t.Errorf("the derivation key was asked for %d times and used %d times", b.root.made, b.root.calls)
	}
}

// TestIssueRefused: nothing is recorded of what is refused.
func TestIssueRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change        func(*credential.Spec)
		subject, says string
	}{
		"invalid":                         {func(s *credential.Spec) { s.Owner = "" }, "owner", "needs an owner"},
		"has ended":                       {func(s *credential.Spec) { s.ExpiresAt = noon }, "expires_at", "would have expired"},
		"overlap beyond its end":          {func(s *credential.Spec) { s.ExpiresAt = noon.Add(2*day - 1) }, "overlap", "longer than the credential is valid"},
		"revokes what is not there":       {func(s *credential.Spec) { s.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise} }, "revoke", "no version 1"},
		"valid for less than its overlap": {func(s *credential.Spec) { s.ValidFor = hour }, "overlap", "longer than a version is valid"},
	} {
		t.Run(name, func(t *testing.T) {
			b, spec := newBench(t), bot()
			test.change(&spec)
			_, err := b.service().Create(t.Context(), spec)
			wantFault(t, err, fault.Invalid, test.subject, test.says)
			if len(b.store.Stored) != 0 {
				t.Errorf("%d records", len(b.store.Stored))
			}
		})
	}
}

// TestNameTaken: a name in use is refused with what to write instead.
func TestNameTaken(t *testing.T) {
	b := newBench(t)
	before := b.create(bot())
	spec, _ := person(t)
	spec.Name = "bot"
	_, err := b.service().Create(t.Context(), spec)
	wantFault(t, err, fault.Exists, `API credential "bot"`, "to = hsm_api_credential.NAME_OF_THE_RESOURCE\n    id = \"bot\"")
	if after := b.store.Stored["bot"].Body; after.Versions[1].Fingerprint != before.Versions[1].Fingerprint || after.Spec.Type != credential.SharedSecret {
		t.Errorf("the one that was there is %+v now", after)
	}
}

// TestNameComesBack: a removed credential's name goes on with the next number, and what
// was revoked stays revoked.
func TestNameComesBack(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	old := b.secret("bot", 1)
	if err := b.service().Destroy(t.Context(), "bot"); err != nil {
		t.Fatal(err)
	}
	b.clock = b.clock.Add(hour)
	c := b.create(bot())
	if c.Counter != 2 || !slices.Equal(c.Numbers(), []int{1, 2}) || c.Tombstone != nil || !c.CreatedAt.Equal(b.clock) {
		t.Errorf("%+v", c)
	}
	b.wantStates("bot", map[int]credential.State{1: credential.Revoked, 2: credential.Active})
	if bytes.Equal(b.secret("bot", 2), old) {
		t.Error("the old secret came back")
	}
}

// TestRecordLost: not even a name whose record was lost brings old secrets back.
func TestRecordLost(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	old := b.secret("bot", 1)
	maps.DeleteFunc(b.store.Stored, func(string, credential.Record) bool { return true })
	if c := b.create(bot()); c.Counter != 1 || bytes.Equal(b.secret("bot", 1), old) {
		t.Errorf("version %d has the secret that the lost one had", c.Counter)
	}
}

// TestTroubleWithHSM: what the HSM cannot do leaves nothing behind.
func TestTroubleWithHSM(t *testing.T) {
	trouble := &fault.Error{Kind: fault.Unavailable, Op: "derive secret", Problem: "The HSM does not answer."}
	b := newBench(t)
	b.root.trouble = trouble
	_, err := b.service().Create(t.Context(), bot())
	wantFault(t, err, fault.Unavailable, "", "does not answer")
	if len(b.store.Stored) != 0 {
		t.Errorf("%d records", len(b.store.Stored))
	}

	b.root.trouble = nil
	spec := bot()
	b.create(spec)
	b.root.trouble = trouble
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	_, err = b.service().Update(t.Context(), spec, true)
	wantFault(t, err, fault.Unavailable, "", "does not answer")
	if rec := b.store.Stored["bot"]; rec.Generation != 1 || rec.Body.Counter != 1 {
		t.Errorf("generation %d with version %d", rec.Generation, rec.Body.Counter)
	}
}

// TestKilledAtEveryWrite: a verb that is killed before or after its write, and done again
// as Terraform would, ends as if nothing had happened.
func TestKilledAtEveryWrite(t *testing.T) {
	rotating := func() credential.Spec {
		spec := bot()
		spec.Recipients = nil
		spec.RotateWhenChanged = map[string]string{"incident": "one"}
		return spec
	}
	revoking := func() credential.Spec {
		spec := bot()
		spec.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
		return spec
	}
	issued := func(b *bench) { b.create(bot()) }
	update := func(spec func() credential.Spec) func(*testing.T, *credential.Service) error {
		return func(t *testing.T, s *credential.Service) error {
			_, err := s.Update(t.Context(), spec(), true)
			return err
		}
	}
	create := func(t *testing.T, s *credential.Service) error {
		_, err := s.Create(t.Context(), bot())
		if fault.Is(err, fault.Exists) { // killed after its only write: Terraform is told to import
			_, err = s.Read(t.Context(), "bot", false)
		}
		return err
	}
	destroy := func(t *testing.T, s *credential.Service) error { return s.Destroy(t.Context(), "bot") }
	for name, test := range map[string]struct {
		setup func(*bench)
		verb  func(*testing.T, *credential.Service) error
		want  map[int]credential.State
	}{
		"issue":  {func(*bench) {}, create, map[int]credential.State{1: credential.Active}},
		"rotate": {issued, update(rotating), map[int]credential.State{1: credential.Overlapping, 2: credential.Active}},
		"revoke": {issued, update(revoking), map[int]credential.State{1: credential.Revoked, 2: credential.Active}},
		"remove": {issued, destroy, map[int]credential.State{1: credential.Revoked}},
		"issue again": {func(b *bench) {
			issued(b)
			if err := b.service().Destroy(b.t.Context(), "bot"); err != nil {
				b.t.Fatal(err)
			}
		}, create, map[int]credential.State{1: credential.Revoked, 2: credential.Active}},
	} {
		for _, after := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", killed before", true: ", killed after"}[after], func(t *testing.T) {
				b := newBench(t)
				test.setup(b)
				writes := 0
				b.store.Write = func(change func()) error {
					writes++
					if after {
						change()
					}
					return &fault.Error{Kind: fault.Unavailable, Op: "write", Problem: "Killed."}
				}
				if err := test.verb(t, b.service()); !fault.Is(err, fault.Unavailable) || writes != 1 {
					t.Fatalf("killed, after %d writes: %v", writes, err)
				}
				b.store.Write = func(change func()) error { change(); return nil }
				if err := test.verb(t, b.service()); err != nil {
					t.Fatal(err)
				}
				b.wantStates("bot", test.want)
			})
		}
	}
}

// TestRivals: of two runs that change a credential from the same state one wins, and the
// other is told so.
func TestRivals(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	enter, calls := b.store.Enter, 0
	b.store.Enter = func() (func(), error) {
		if calls++; calls == 2 { // it has read, and is about to write
			b.store.Enter = enter
			rival := bot()
			rival.Owner = "options-desk"
			b.update(rival, false)
		}
		return enter()
	}
	spec := bot()
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	_, err := b.service().Update(t.Context(), spec, true)
	wantFault(t, err, fault.Conflict, "", "Somebody else")
	if c := b.store.Stored["bot"].Body; c.Spec.Owner != "options-desk" || c.Counter != 1 {
		t.Errorf("version %d of %s", c.Counter, c.Spec.Owner)
	}
}

// TestCreatedTogether: two runs that issue one name get one credential between them.
func TestCreatedTogether(t *testing.T) {
	b := newBench(t)
	b.mark.name = "test"
	const runs = 8
	failed := make(chan error, runs)
	for range runs {
		go func() {
			_, err := b.service().Create(t.Context(), bot())
			failed <- err
		}()
	}
	won := 0
	for range runs {
		switch err := <-failed; {
		case err == nil:
			won++
		case !fault.Is(err, fault.Exists):
			t.Error(err)
		}
	}
	if won != 1 || b.store.Stored["bot"].Body.Counter != 1 || b.store.Stored["bot"].Generation != 1 {
		t.Errorf("%d runs issued it; %+v", won, b.store.Stored["bot"])
	}
}

// TestHistory: each change says when it was made, by whom and why.
func TestHistory(t *testing.T) {
	b, spec := newBench(t), bot()
	b.create(spec)
	b.clock = b.clock.Add(hour)
	spec.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	b.update(spec, true)
	b.clock = b.clock.Add(hour)
	if err := b.service().Destroy(t.Context(), "bot"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"0s issued 1: issued", "1h0m0s updated 0: ", "1h0m0s revoked 1: key_compromise",
		"1h0m0s issued 2: the version before was revoked", "2h0m0s removed 0: ",
	}
	var got []string
	c := b.store.Stored["bot"].Body
	for _, e := range c.Chain.All() {
		got = append(got, fmt.Sprintf("%s %s %d: %s", e.At.Sub(noon), e.What, e.Version, e.Reason))
		if e.Actor != "ada@example" || (e.What == history.Issued) != (e.Digest != "") {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(got, want) || c.Flaw() != "" {
		t.Errorf("%s; history:\n%q\nwant:\n%q", c.Flaw(), got, want)
	}
}

// TestEarlierHistory: a record that an older version of the provider wrote goes on with a
// chain.
func TestEarlierHistory(t *testing.T) {
	b, spec := newBench(t), bot()
	b.create(spec)
	rec := b.store.Stored["bot"]
	rec.Body.Chain, rec.Body.Earlier = history.Chain{}, []keyring.Transition{{At: noon, What: "version 1", Actor: "bob@example", Reason: "issued"}}
	b.store.Stored["bot"] = rec
	b.update(spec, true)
	c := b.store.Stored["bot"].Body
	if all := c.Chain.All(); len(all) != 2 || all[0].What != "version 1" || all[0].Actor != "bob@example" || all[1].What != history.Updated || c.Earlier != nil {
		t.Errorf("%+v", c)
	}
}
