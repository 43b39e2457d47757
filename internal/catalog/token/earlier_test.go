package token_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// What was stored of a key, a credential and a policy before records had a chain.
const (
	earlierKey = `{"spec":{"name":"x","algorithm":"AES_256","operations":["encrypt","decrypt"],"extractable":false,"enabled":true,"deletion_protection":true,"on_destroy":"disable"},` +
		`"created_at":"2026-01-02T03:04:05Z","counter":1,"versions":{"1":{"number":1,"algorithm":"AES_256","operations":["encrypt","decrypt"],"ref":{"id":"ab","label":"x:1"},` +
		`"fingerprint":"cd","birth":{"local":true,"never_extractable":true,"always_sensitive":true,"attested":true},"created_at":"2026-01-02T03:04:05Z","activated_at":"2026-01-02T03:04:05Z",` +
		`"history":[{"at":"2026-01-02T03:04:05Z","what":"generated","actor":"ada"},{"at":"2026-01-02T03:04:05Z","what":"activated","actor":"ada","reason":"created"}]}}}`
	earlierCredential = `{"spec":{"name":"x","owner":"desk","type":"shared_secret","algorithm":"hmac-sha256","enabled":true,"rotate_every":0,"overlap":0},"created_at":"2026-01-02T03:04:05Z","counter":1,` +
		`"versions":{"1":{"number":1,"algorithm":"hmac-sha256","root":1,"salt":"ab","fingerprint":"cd","created_at":"2026-01-02T03:04:05Z"}},` +
		`"history":[{"at":"2026-01-02T03:04:05Z","what":"version 1","actor":"ada","reason":"issued"}]}`
	earlierPolicy = `{"spec":{"name":"x","enabled":true,"cedar":"permit (principal, action, resource);"},"created_at":"2026-01-02T03:04:05Z",` +
		`"history":[{"at":"2026-01-02T03:04:05Z","what":"created","actor":"ada"}]}`
)

// TestEarlier: a record from before there were chains is read, says the same as long as
// nothing happens, and is not taken for a damaged one.
func TestEarlier(t *testing.T) {
	k := must[*keyring.Key](t)(earlier[*keyring.Key](t, token.Keys, earlierKey))
	if h := k.Versions[1].Earlier; len(h) != 2 || h[1].Reason != "created" || !k.Chain.IsZero() {
		t.Errorf("%+v", k)
	}
	k.Note(history.Entry{What: history.Updated, Actor: "bob"})
	if text := string(encoded(t, k)); strings.Contains(text, `"history"`) || k.Chain.Length() != 3 || k.Flaw() != "" {
		t.Error(text)
	}
	c := must[*credential.Credential](t)(earlier[*credential.Credential](t, token.Credentials, earlierCredential))
	p := must[*policy.Policy](t)(earlier[*policy.Policy](t, token.Policies, earlierPolicy))
	if len(c.Earlier) != 1 || len(p.Earlier) != 1 {
		t.Errorf("%+v, %+v", c, p)
	}
}

func earlier[T interface {
	RecordName() string
	Clone() T
	Flaw() string
}](t *testing.T, kind token.Kind, body string) (T, error) {
	t.Helper()
	rec, err := load[T](t, kind, "x", sealed(t, kind, "x", 3, []byte(body)))
	if err == nil && rec.Generation != 3 {
		err = fmt.Errorf("generation %d", rec.Generation)
	}
	return rec.Body, err
}

// TestTornHistory: a record whose history was changed is one that something else changed,
// though its checksum may be right.
func TestTornHistory(t *testing.T) {
	k := &keyring.Key{Spec: keyring.Spec{Name: "x", Algorithm: keyring.AES256}}
	for _, actor := range []string{"ada", "bob"} {
		k.Note(history.Entry{What: history.Updated, Actor: actor})
	}
	body := strings.Replace(string(encoded(t, k)), "ada", "eve", 1)
	_, err := load[*keyring.Key](t, token.Keys, "x", sealed(t, token.Keys, "x", 1, []byte(body)))
	if err == nil || !strings.Contains(err.Error(), "Its history was changed at entry 1") {
		t.Errorf("%v", err)
	}
}
