package provider_test

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// issued is a credential on a token in memory.
type issued struct {
	*core
	m  *lifecycletest.Memory
	on *shelves
}

// newCredential applies a configuration to an empty token.
func newCredential(t *testing.T, config values) *issued {
	t.Helper()
	c := &issued{m: lifecycletest.New(newYear), on: newShelves()}
	c.restart(t)
	c.apply(config)
	return c
}

// restart goes on with a provider that has just been started, as each command of the
// CLI does.
func (c *issued) restart(t *testing.T) {
	t.Helper()
	next := &core{server: serveShelves(t, c.m, c.on), t: t, resource: "hsm_api_credential"}
	if c.core != nil {
		next.state = c.state
	}
	c.core = next
}

// want compares attributes of the state; "states" are those of the versions.
func (c *issued) want(attributes values) {
	c.t.Helper()
	for name, want := range attributes {
		got := c.state[name]
		if name == "states" {
			all, _ := c.state["versions"].(values)
			var states []string
			for _, n := range names(all) {
				states = append(states, n+":"+version(c.t, c.state, n)["state"].(string))
			}
			got = strings.Join(states, " ")
		}
		if got != want {
			c.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	newest := version(c.t, c.state, c.number())
	if newest["key_id"] != c.state["key_id"] || newest["fingerprint_sha256"] != c.state["fingerprint_sha256"] {
		c.t.Errorf("key id and fingerprint are not those of the newest version, %v: %v", newest, c.state)
	}
}

func (c *issued) number() string {
	_, number, _ := strings.Cut(strings.TrimPrefix(c.state["key_id"].(string), "test~"), "~")
	return number
}

// secret opens the newest secret.
func (c *issued) secret() string {
	c.t.Helper()
	opened, diagnostics := c.open(c.t, values{"credential_id": c.state["id"]})
	noErrors(c.t, diagnostics)
	text, _ := opened["base64"].(string)
	return text
}

// unseal opens the sealed secret as a recipient does.
func (c *issued) unseal(identity age.Identity) (string, error) {
	sealed, _ := c.state["sealed_secret"].(string)
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(sealed)), identity)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(plain)
	return string(text), err
}

func TestSharedSecretLife(t *testing.T) {
	c := newCredential(t, botConfig)
	c.want(values{
		"id": "bot", "version": 1, "key_id": "test~bot~1", "sealed_secret": nil, "rotate_at": nil, "rotation_due": false, "enabled": true, "states": "1:active",
	})
	if v := version(t, c.state, "1"); v["algorithm"] != "hmac-sha256" || v["created_at"] != "2027-01-01T00:00:00Z" || v["public_key_pem"] != nil || v["expires_at"] != nil {
		t.Errorf("version 1 is %v", v)
	}
	to := newIdentity(t).Recipient().String()
	for _, config := range []values{
		with(botConfig, "owner", "ada"),
		with(botConfig, "tags", values{"desk": "spot"}),
		with(botConfig, "tags", values{}, "recipients", []any{}, "revoke", values{}, "rotate_when_changed", values{}),
		with(botConfig, "recipients", []any{to}),
		with(botConfig, "enabled", false),
		with(botConfig, "enabled", true, "expires_at", "2028-01-01T01:00:00+01:00"),
		with(botConfig, "valid_for", "9000h"),
		with(botConfig, "rotate_every", "90m", "overlap", "30m"),
		with(botConfig, "rotate_every", "1h30m", "overlap", "0s"),
		with(botConfig, "rotate_when_changed", values{"a": "b"}),
	} {
		c.apply(config)
		c.restart(t)
		c.want(values{"version": 1})
	}
	c.apply(with(botConfig, "algorithm", "hmac-sha512"))
	c.want(values{"version": 2, "states": "1:superseded 2:active"})
	if raw, err := base64.StdEncoding.DecodeString(c.secret()); err != nil || len(raw) != 64 {
		t.Errorf("a secret of hmac-sha512 has %d bytes: %v", len(raw), err)
	}
	c.apply(nil)
}

func TestSharedSecretRotation(t *testing.T) {
	config := with(botConfig, "rotate_every", "2160h", "overlap", "168h")
	c := newCredential(t, config)
	first := c.secret()
	c.m.Pass(period - time.Second)
	c.settled(config)
	c.m.Pass(time.Second)
	c.restart(t)
	if p := c.apply(config); !slices.Equal(p.changed(), opened) || len(p.replace) > 0 {
		t.Errorf("the rotation changes %v and replaces because of %v", p.changed(), p.replace)
	}
	c.want(values{"version": 2, "key_id": "test~bot~2", "rotate_at": "2027-06-30T00:00:00Z", "rotation_due": false, "states": "1:overlapping 2:active"})
	if until := version(t, c.state, "1")["accepted_until"]; until != "2027-04-08T00:00:00Z" {
		t.Errorf("version 1 is accepted until %v", until)
	}
	if c.secret() == first {
		t.Error("the new version has the old secret")
	}
	if old, diagnostics := c.open(t, values{"credential_id": "bot", "version": 1}); old["base64"] != first {
		t.Errorf("version 1 has %v: %s", old, showAll(diagnostics))
	}
	c.m.Pass(overlap)
	c.settled(config) // that time passes is no change
	c.want(values{"states": "1:superseded 2:active"})

	c.m.Pass(10 * period) // missed periods are one rotation
	c.restart(t)
	c.apply(config)
	c.want(values{"version": 3, "states": "1:superseded 2:overlapping 3:active"})
}

func TestSharedSecretRotatesWhenChanged(t *testing.T) {
	watch := func(v string) values { return with(botConfig, "overlap", "1h", "rotate_when_changed", values{"v": v}) }
	c := newCredential(t, watch("a"))
	c.apply(watch("b"))
	c.want(values{"version": 2, "states": "1:overlapping 2:active"})
	c.apply(with(botConfig, "overlap", "1h"))
	c.want(values{"version": 2})
}

func TestCredentialRevoke(t *testing.T) {
	t.Run("the newest of a secret", func(t *testing.T) {
		c := newCredential(t, with(botConfig, "overlap", "168h"))
		c.apply(with(botConfig, "overlap", "168h", "revoke", values{"1": "key_compromise"}))
		c.want(values{"version": 2, "states": "1:revoked 2:active"})
		if v := version(t, c.state, "1"); v["revoked_at"] != "2027-01-01T00:00:00Z" || v["revoked_for"] != "key_compromise" {
			t.Errorf("version 1 is %v", v)
		}
		_, diagnostics := c.open(t, values{"credential_id": "bot", "version": 1})
		wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "revoked")
		c.apply(with(botConfig, "overlap", "168h")) // which undoes nothing
		c.want(values{"version": 2, "states": "1:revoked 2:active"})
	})
	t.Run("the one before", func(t *testing.T) {
		config := with(botConfig, "overlap", "168h", "rotate_when_changed", values{"v": "a"})
		c := newCredential(t, config)
		config = with(config, "rotate_when_changed", values{"v": "b"})
		c.apply(config)
		c.apply(with(config, "revoke", values{"1": "superseded"}))
		c.want(values{"version": 2, "states": "1:revoked 2:active"})
	})
	t.Run("a public key", func(t *testing.T) {
		config := adaConfig(newPair(t).ssh)
		c := newCredential(t, config)
		c.apply(with(config, "revoke", values{"1": "key_compromise"}))
		c.want(values{"version": 1, "states": "1:revoked"})
		c.apply(with(adaConfig(newPair(t).ssh), "revoke", values{"1": "key_compromise"}))
		c.want(values{"version": 2, "states": "1:revoked 2:active"})
	})
	t.Run("a version that never was, at creation", func(t *testing.T) {
		c := &issued{m: lifecycletest.New(newYear), on: newShelves()}
		c.restart(t)
		config := with(botConfig, "revoke", values{"9": "superseded"})
		p := c.plan(t, c.resource, nil, config)
		_, diagnostics := c.try(nil, p.values, config)
		wantDiagnostic(t, append(p.diagnostics, diagnostics...), "revoke", "ERROR", "9")
	})
}

func TestPublicKeyLife(t *testing.T) {
	first, second := newPair(t), newPair(t)
	c := newCredential(t, with(adaConfig(first.ssh), "overlap", "168h"))
	c.want(values{"version": 1, "key_id": "test~ada~1", "sealed_secret": nil, "states": "1:active"})
	if v := version(t, c.state, "1"); v["algorithm"] != "ed25519" || v["public_key_pem"] != first.pem {
		t.Errorf("version 1 is %v", v)
	}
	for _, same := range []string{first.ssh + " ada@example", first.pem} {
		c.apply(with(adaConfig(same), "overlap", "168h"))
		c.want(values{"version": 1, "public_key": same})
	}
	c.apply(with(adaConfig(second.pem), "overlap", "168h"))
	c.want(values{"version": 2, "states": "1:overlapping 2:active"})
	_, diagnostics := c.open(t, values{"credential_id": "ada"})
	wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "public_key")
}

// Of a public key, which only the caller can replace, a rotation that is due is a
// reminder.
func TestPublicKeyReminder(t *testing.T) {
	config := with(adaConfig(newPair(t).ssh), "rotate_every", "2160h")
	c := newCredential(t, config)
	c.m.Pass(period)
	c.restart(t)
	c.settled(config)
	c.want(values{"version": 1, "rotation_due": true})
	wantDiagnostic(t, c.plan(t, c.resource, c.state, config).diagnostics, "public_key", "WARNING", "2027-01-01T00:00:00Z", `"2160h"`, "ada")
	c.apply(with(adaConfig(newPair(t).ssh), "rotate_every", "2160h"))
	c.want(values{"version": 2, "rotation_due": false})
}

func TestSealedSecret(t *testing.T) {
	bot, auditor := newIdentity(t), newIdentity(t)
	to := func(identities ...*age.X25519Identity) values {
		var recipients []any
		for _, i := range identities {
			recipients = append(recipients, i.Recipient().String())
		}
		return with(botConfig, "recipients", recipients)
	}
	c := newCredential(t, to(bot))
	if got, err := c.unseal(bot); err != nil || got != c.secret() {
		t.Errorf("the bot opens %q: %v", got, err)
	}
	if _, err := c.unseal(auditor); err == nil {
		t.Error("somebody else opens it, too")
	}
	before := c.state["sealed_secret"]
	c.apply(with(to(bot), "owner", "ada"))
	c.want(values{"sealed_secret": before})

	c.apply(to(auditor, bot))
	c.want(values{"version": 1})
	for _, identity := range []age.Identity{bot, auditor} {
		if got, err := c.unseal(identity); err != nil || got != c.secret() {
			t.Errorf("%v opens %q: %v", identity, got, err)
		}
	}
	c.apply(with(to(auditor), "algorithm", "hmac-sha512"))
	if got, err := c.unseal(auditor); err != nil || got != c.secret() {
		t.Errorf("after a rotation the auditor opens %q: %v", got, err)
	}
	c.apply(with(botConfig, "algorithm", "hmac-sha512"))
	c.want(values{"version": 2, "sealed_secret": nil})
}

func TestCredentialExpires(t *testing.T) {
	config := with(botConfig, "expires_at", "2027-02-01T00:00:00Z", "rotate_every", "9000h")
	c := newCredential(t, config)
	c.m.Pass(31*24*time.Hour - time.Second)
	c.refresh()
	c.want(values{"states": "1:active"})
	c.m.Pass(time.Second)
	c.settled(config) // an expiry that passes is no mistake
	c.want(values{"states": "1:expired"})
	_, diagnostics := c.open(t, values{"credential_id": "bot"})
	wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "expired", "2027-02-01T00:00:00Z")
	c.apply(with(config, "expires_at", "2029-01-01T00:00:00Z"))
	c.want(values{"states": "1:active"})
	c.secret()
}

func TestSuspendedCredential(t *testing.T) {
	c := newCredential(t, botConfig)
	was := c.secret()
	c.apply(with(botConfig, "enabled", false))
	c.want(values{"states": "1:suspended"})
	_, diagnostics := c.open(t, values{"credential_id": "bot"})
	wantDiagnostic(t, diagnostics, "credential_id", "ERROR", "disabled", "enabled = true")
	c.apply(botConfig)
	c.want(values{"states": "1:active"})
	if c.secret() != was {
		t.Error("the secret is another one")
	}
}

// A name that comes back goes on with the next number.
func TestCredentialComesBack(t *testing.T) {
	c := newCredential(t, botConfig)
	was := c.secret()
	c.apply(nil)
	_, diagnostics := c.open(t, values{"credential_id": "bot"})
	wantDiagnostic(t, diagnostics, "credential_id", "ERROR")
	c.restart(t)
	c.apply(botConfig)
	c.want(values{"version": 2, "states": "1:revoked 2:active"})
	if c.secret() == was {
		t.Error("the old secret is back")
	}
	c.apply(with(adaConfig(newPair(t).ssh), "name", "bot")) // a replacement
	c.want(values{"version": 3, "states": "1:revoked 2:revoked 3:active"})
}
