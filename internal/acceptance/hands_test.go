package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// outcome is what has to come of a tampering.
type outcome uint8

const (
	refused  outcome = iota // plan and apply fail, and neither state nor token is changed
	drift                   // the plan says so, and the apply puts it right
	reported                // nothing has to be done, and the plan says what it is
	harmless                // there is nothing to say
)

// TestHandsInTheToken has somebody with the PIN change things behind the provider's
// back. Each is reported as what it is, the state keeps what it has, and no new key is
// made for it.
func TestHandsInTheToken(t *testing.T) {
	site := newSite(t)
	for _, tc := range tamperings() {
		t.Run(tc.name, func(t *testing.T) { site.suffer(t, tc) })
	}
}

type tampering struct {
	name    string
	tamper  func(h *hand)
	outcome outcome
	says    []string
}

func tamperings() []tampering {
	list := []tampering{
		{"active private key removed", func(h *hand) { h.tool("--delete-object", "--type", "privkey", "--id", h.second) }, refused,
			[]string{`Key "orders" version 2`, "no longer on the token", "somebody removed it"}},
		{"deactivated private key removed", func(h *hand) { h.tool("--delete-object", "--type", "privkey", "--id", h.first) }, refused,
			[]string{`Key "orders" version 1`, "no longer on the token", "somebody removed it"}},
		{"secret key removed", func(h *hand) { h.tool("--delete-object", "--type", "secrkey", "--id", h.archive) }, refused,
			[]string{`Key "orders-archive" version 1`, "no longer on the token", "somebody removed it"}},
		{"pair removed", func(h *hand) {
			h.tool("--delete-object", "--type", "privkey", "--id", h.second)
			h.tool("--delete-object", "--type", "pubkey", "--id", h.second)
		}, refused, []string{`Key "orders" version 2`, "no longer on the token", "somebody removed it"}},
		{"public key removed", func(h *hand) { h.tool("--delete-object", "--type", "pubkey", "--id", h.second) }, refused,
			[]string{`Key "orders" version 2`, "public key object", "no longer on the token", "public_key_pem"}},
		{"derivation key removed", func(h *hand) { h.tool("--delete-object", "--type", "secrkey", "--id", h.root) }, refused,
			[]string{"Derivation key version 1", "no longer on the token", "backup"}},
		{"derivation key swapped for another", func(h *hand) {
			h.tool("--delete-object", "--type", "secrkey", "--id", h.root)
			h.tool("--keygen", "--key-type", "GENERIC:32", "--sensitive", "--id", h.root, "--label", ".derivation:1")
		}, refused, []string{"Derivation key version 1", "somebody replaced it"}},

		{"private key under another CKA_ID", func(h *hand) { h.tool("--set-id", "0bad", "--type", "privkey", "--id", h.second) }, refused,
			[]string{`Key "orders" version 2`, "another CKA_ID"}},
		{"secret key under another CKA_ID", func(h *hand) { h.tool("--set-id", "0bad", "--type", "secrkey", "--id", h.archive) }, refused,
			[]string{`Key "orders-archive" version 1`, "another CKA_ID"}},
		{"private key relabelled", func(h *hand) {
			h.set(h.second, cryptoki.CKO_PRIVATE_KEY, cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("mine")))
		}, reported,
			[]string{`labelled "mine"`, `"orders:2"`}},
		{"public key relabelled", func(h *hand) {
			h.set(h.second, cryptoki.CKO_PUBLIC_KEY, cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("mine")))
		}, reported,
			[]string{`labelled "mine"`, `"orders:2"`}},

		{"private key doubled", func(h *hand) { h.double(h.second, cryptoki.CKO_PRIVATE_KEY) }, refused, []string{"2 private or secret", "impostor"}},
		{"public key doubled", func(h *hand) { h.double(h.second, cryptoki.CKO_PUBLIC_KEY) }, refused, []string{"2 public", "impostor"}},
		{"secret key doubled", func(h *hand) { h.double(h.archive, cryptoki.CKO_SECRET_KEY) }, refused, []string{"2 private or secret", "impostor"}},
		{"private key swapped for another", func(h *hand) { replacePrivate(h.t, h.token, h.second) }, refused, []string{"somebody replaced it", "recorded public key"}},

		{"sign on again for the deactivated version", func(h *hand) { turnOn(h.t, h.token, h.first) }, drift, []string{`"drifted"`}},
		{"sign off for the active version", func(h *hand) { h.set(h.second, cryptoki.CKO_PRIVATE_KEY, cryptoki.Bool(cryptoki.CKA_SIGN, false)) }, drift, []string{`"drifted"`}},
		{"verify off for the active version", func(h *hand) { h.set(h.second, cryptoki.CKO_PUBLIC_KEY, cryptoki.Bool(cryptoki.CKA_VERIFY, false)) }, drift, []string{`"drifted"`}},
		{"encrypt off for the secret key", func(h *hand) { h.set(h.archive, cryptoki.CKO_SECRET_KEY, cryptoki.Bool(cryptoki.CKA_ENCRYPT, false)) }, drift, []string{`"drifted"`}},
		{"wrap on for the secret key", func(h *hand) { h.set(h.archive, cryptoki.CKO_SECRET_KEY, cryptoki.Bool(cryptoki.CKA_WRAP, true)) }, drift, []string{`"drifted"`}},
		{"no longer extractable", func(h *hand) {
			h.set(h.archive, cryptoki.CKO_SECRET_KEY, cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false))
		}, reported,
			[]string{"CKA_EXTRACTABLE", "can no longer be wrapped"}},

		{"stranger's key under the same label", func(h *hand) {
			h.tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "0bad", "--label", "orders:2")
		}, harmless, nil},

		{"marker removed", func(h *hand) { h.remove("environment") }, refused, []string{"not the marker that says which environment"}},
		{"marker doubled", func(h *hand) { h.write("environment", h.read("environment")) }, harmless, nil},
		{"marker edited", func(h *hand) { h.edit("environment", `"environment":"test"`, `"environment":"prod"`) }, refused, []string{"Environment marker", "checksum is wrong"}},
		{"marker cut off", func(h *hand) { h.replace("environment", []byte(`{"format":1`)) }, refused, []string{"Environment marker", "cut off"}},
		{"marker of another environment", func(h *hand) { h.replace("environment", h.foreign["environment"]) }, refused, []string{`belongs to environment "prod"`, `configured for "test"`}},
		{"marker of another environment beside it", func(h *hand) { h.write("environment", h.foreign["environment"]) }, refused, []string{"stamped for two environments", `"test"`, `"prod"`}},

		{"record cut off", func(h *hand) { v := h.read("key/orders"); h.replace("key/orders", v[:len(v)/2]) }, refused, []string{`Key "orders"`, "cut off"}},
		{"record emptied", func(h *hand) { h.replace("key/orders", []byte("{}")) }, refused, []string{`Key "orders"`, "changed by something other than this provider"}},
		{"another's record beside it", func(h *hand) { h.write("key/orders", h.read("key/orders-archive")) }, refused, []string{`Key "orders"`, "under another label"}},
	}
	for _, r := range []struct{ label, subject, other string }{
		{"key/orders", `key "orders"`, "key/orders-archive"},
		{"credential/orders-bot", `API credential "orders-bot"`, "credential/orders-ada"},
		{"policy/orders-desk", `access policy "orders-desk"`, "policy/orders-second"},
	} {
		subject := strings.ToUpper(r.subject[:1]) + r.subject[1:]
		list = append(list, []tampering{
			{r.label + " removed", func(h *hand) { h.remove(r.label) }, refused, []string{subject, "record"}},
			{r.label + " doubled", func(h *hand) { h.write(r.label, h.read(r.label)) }, harmless, nil},
			{r.label + " edited", func(h *hand) { h.edit(r.label, `"created_at":"2027`, `"created_at":"2026`) }, refused, []string{subject, "checksum is wrong"}},
			{r.label + " under another name", func(h *hand) { v := h.read(r.label); h.remove(r.label); h.write(r.label+"-moved", v) }, refused, []string{"under another label"}},
			{r.label + " with another's content", func(h *hand) { h.replace(r.label, h.read(r.other)) }, refused, []string{subject, "under another label"}},
			{r.label + " of another environment", func(h *hand) { h.replace(r.label, h.foreign[r.label]) }, refused, []string{subject, "another record of this name"}},
			{r.label + " as it was, beside it", func(h *hand) { h.write(r.label, h.earlier[r.label]) }, harmless, nil},
			{r.label + " as it was", func(h *hand) { h.replace(r.label, h.earlier[r.label]) }, refused, []string{subject, "older than", "put an old one back"}},
		}...)
	}
	return list
}

// site is an environment that each tampering finds as it was made.
type site struct {
	*cli
	token *softhsm.Token
	aside string // where copies of the token and the state are
	hand         // what the tamperings know
}

// hand is somebody with the PIN.
type hand struct {
	t                            *testing.T
	token                        *softhsm.Token
	first, second, archive, root string            // CKA_IDs
	earlier, foreign             map[string][]byte // records by label: before the last write, and of another environment
}

// newSite makes everything, changes everything once, and rotates.
func newSite(t *testing.T) *site {
	t.Helper()
	store := softhsm.NewStore(t)
	token, other := store.Init(t, "acceptance"), store.Init(t, "elsewhere")
	s := &site{token: token, aside: t.TempDir()}
	s.cli = newCLI(t, realm(other, "prod", "one"))
	s.apply()
	labels := []string{"environment", "key/orders", "credential/orders-bot", "policy/orders-desk"}
	s.hand = hand{t: t, token: other, earlier: map[string][]byte{}, foreign: map[string][]byte{}}
	for _, label := range labels {
		s.foreign[label] = s.hand.read(label)
	}
	s.fresh(t, token)
	s.configure(realm(token, "test", "one"))
	s.apply()
	s.hand.token = token
	for _, label := range labels {
		s.earlier[label] = s.hand.read(label)
	}
	s.configure(realm(token, "test", "two"))
	s.cli.apply("-replace=" + rotator)
	s.cli.apply() // the key shows what the rotation did to it
	s.noChanges()
	versions := s.state(rotator)
	s.first, s.second = versions.at("versions", "1", "cka_id"), versions.at("versions", "2", "cka_id")
	s.archive = s.state("hsm_key.archive").at("versions", "1", "cka_id")
	s.root = look(t, token).Keys[".derivation"].Versions[1].Ref.ID
	for from, to := range map[string]string{token.Store.TokenDir(): "tokens", s.dir: "work"} {
		if err := os.CopyFS(filepath.Join(s.aside, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// realm is an estate that has something to lose by every tampering.
func realm(token *softhsm.Token, environment, text string) string {
	return strings.NewReplacer(
		`environment = "test"`, fmt.Sprintf("environment = %q", environment),
		`algorithm           = "AES_256"`, "algorithm = \"AES_256\"\n  extractable = true",
	).Replace(estate(token, "orders", text)) + `
resource "hsm_access_policy" "second" {
  name = "orders-second"
  statement {
    effect     = "forbid"
    principals = ["any"]
    actions    = ["sign_digest"]
    keys       = ["any"]
  }
}
`
}

// restore puts token and state back.
func (s *site) restore(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(s.token.Store.TokenDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.token.Store.TokenDir(), os.DirFS(filepath.Join(s.aside, "tokens"))); err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(s.aside, "work", "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "terraform.tfstate"), state, 0o600); err != nil {
		t.Fatal(err)
	}
}

// suffer carries out one tampering, and looks at what is made of it.
func (s *site) suffer(t *testing.T, tc tampering) {
	s.restore(t)
	h := s.hand
	h.t = t
	tc.tamper(&h)
	before, state := s.token.Tool(t, "--list-objects"), s.stateFile()
	secrets := look(t, s.token).Secrets()

	plan, planned := s.run("plan", "-detailed-exitcode")
	applied, code := s.run("apply", "-auto-approve")
	expect(t, plan, tc.says...)
	switch tc.outcome {
	case refused:
		expect(t, applied, tc.says...)
		if planned != 1 || code == 0 {
			t.Errorf("plan and apply end with %d and %d, and have to fail:\n%s\n%s", planned, code, plan, applied)
		}
		if after := s.token.Tool(t, "--list-objects"); after != before {
			t.Errorf("the token was changed.\nbefore:\n%s\nafter:\n%s", before, after)
		}
	case drift:
		if planned != 2 || code != 0 {
			t.Errorf("plan and apply end with %d and %d, and have to put it right:\n%s\n%s", planned, code, plan, applied)
		}
		s.noChanges()
		refusesToSign(t, s.token, s.first)
		mustSign(t, s.token, s.second, digest)
	case reported, harmless:
		if planned != 0 || code != 0 || !strings.Contains(plan, "No changes.") {
			t.Errorf("plan and apply end with %d and %d, and have nothing to do:\n%s\n%s", planned, code, plan, applied)
		}
	}
	if tc.outcome == harmless && strings.Contains(plan, "Warning") {
		t.Errorf("there is nothing to say, and the plan says:\n%s", plan)
	}
	if tc.outcome != drift && !bytes.Equal(s.stateFile(), state) {
		t.Errorf("the state was changed.\nbefore:\n%s\nafter:\n%s", state, s.stateFile())
	}
	if after := look(t, s.token).Secrets(); !slices.Equal(after, secrets) {
		t.Errorf("the token had the keys %v and has %v", secrets, after)
	}
	for _, id := range []string{s.first, s.second, s.archive} {
		if !bytes.Contains(s.stateFile(), []byte(fmt.Sprintf("%q", id))) {
			t.Errorf("the state lost the key with CKA_ID %s", id)
		}
	}
}

func (h *hand) tool(args ...string) {
	h.t.Helper()
	h.token.Tool(h.t, args...)
}

// set changes an attribute of the object with a CKA_ID and class.
func (h *hand) set(id string, class uint, a cryptoki.Attribute) {
	h.t.Helper()
	h.each(id, class, func(hsm *cryptoki.Token, o cryptoki.Object) error {
		return hsm.SetAttributes(context.Background(), o.Handle, []cryptoki.Attribute{a})
	})
}

// double copies an object, under another label.
func (h *hand) double(id string, class uint) {
	h.t.Helper()
	h.each(id, class, func(hsm *cryptoki.Token, o cryptoki.Object) error {
		_, err := hsm.CopyObject(context.Background(), o.Handle, []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("double"))})
		return err
	})
}

func (h *hand) each(id string, class uint, do func(*cryptoki.Token, cryptoki.Object) error) {
	h.t.Helper()
	tamper(h.t, h.token, id, func(hsm *cryptoki.Token, o cryptoki.Object) error {
		if o.Class != class {
			return nil
		}
		return do(hsm, o)
	})
}

// read, write, remove, replace and edit do as they say with a record.
func (h *hand) read(label string) []byte {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "record")
	h.tool("--read-object", "--type", "data", "--label", label, "--output-file", file)
	value, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	return value
}

func (h *hand) write(label string, value []byte) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "record")
	if err := os.WriteFile(file, value, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.tool("--write-object", file, "--type", "data", "--private", "--label", label, "--application-label", "terraform-provider-hsm")
}

func (h *hand) remove(label string) {
	h.t.Helper()
	h.tool("--delete-object", "--type", "data", "--label", label)
}

func (h *hand) replace(label string, value []byte) {
	h.t.Helper()
	h.remove(label)
	h.write(label, value)
}

func (h *hand) edit(label, from, to string) {
	h.t.Helper()
	value := h.read(label)
	edited := bytes.Replace(value, []byte(from), []byte(to), 1)
	if bytes.Equal(value, edited) {
		h.t.Fatalf("there is no %s in %s", from, value)
	}
	h.replace(label, edited)
}
