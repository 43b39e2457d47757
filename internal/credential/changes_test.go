package credential_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"
)

// TestUpdateIsTold: the history tells what an update changed, from what to what, and a
// credential that is suspended or resumed by that name.
func TestUpdateIsTold(t *testing.T) {
	age1, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(hybrid.Recipient().String()))
	const openSSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5tYwTxdEgvWnZyK/wkdXJLKsOEG4i0DyVf9mBB9H6V ada@laptop"
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(openSSH))
	if err != nil {
		t.Fatal(err)
	}
	b, spec := newBench(t), bot()
	spec.Owner, spec.Tags = "options-desk", map[string]string{"cost": "A", "env": "prod"}
	b.create(spec)
	for _, step := range []struct {
		change func()
		want   []string
	}{
		{func() { spec.Enabled = false }, []string{"updated 0: enabled true → false", "suspended 0: "}},
		{func() { spec.Enabled, spec.Owner = true, "bob" }, []string{"updated 0: enabled false → true, owner options-desk → bob", "resumed 0: "}},
		{func() { spec.Recipients = []string{age1.Recipient().String(), openSSH} }, []string{"updated 0: recipients +" + age1.Recipient().String() + " +" + ssh.FingerprintSHA256(key)}},
		{func() { spec.Recipients = []string{hybrid.Recipient().String()} }, []string{
			"updated 0: recipients +SHA-256=" + hex.EncodeToString(sum[:]) + " −" + age1.Recipient().String() + " −" + ssh.FingerprintSHA256(key),
		}},
		{func() {
			spec.Recipients, spec.Tags, spec.RotateEvery, spec.Overlap = nil, map[string]string{"env": "test", "team": "x"}, 48*hour, hour
		}, []string{"updated 0: recipients −SHA-256=" + hex.EncodeToString(sum[:]) + ", rotate_every 720h0m0s → 48h0m0s, overlap 48h0m0s → 1h0m0s, tags +team −cost env"}},
	} {
		before := b.store.Stored["bot"].Body.Chain.Length()
		step.change()
		b.update(spec, false)
		var got []string
		for _, e := range b.store.Stored["bot"].Body.Chain.All()[before:] {
			got = append(got, fmt.Sprintf("%s %d: %s", e.What, e.Version, e.Reason))
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("%q\nwant %q", got, step.want)
		}
	}
}
