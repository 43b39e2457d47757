package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// importable is what can be imported, with the attribute that names a thing.
var importable = []struct{ resource, name string }{
	{"hsm_key", "name"}, {"hsm_key_rotation", "key_id"}, {"hsm_api_credential", "name"}, {"hsm_access_policy", "name"},
}

// stock is a token with one of each, and a key that was made elsewhere.
type stock struct {
	*server
	m  *lifecycletest.Memory
	on *shelves

	// What was there at first.
	records     map[string]lifecycle.Record
	credentials map[string]credential.Record
	policies    map[string]policy.Record
	objects     map[string]lifecycletest.Objects
}

func newStock(t *testing.T) *stock {
	t.Helper()
	s := &stock{m: lifecycletest.New(newYear), on: newShelves()}
	s.server = serveShelves(t, s.m, s.on)
	for _, one := range []struct {
		resource string
		config   values
	}{
		{"hsm_key", keyConfig}, {"hsm_key_rotation", values{"key_id": "orders"}}, {"hsm_api_credential", botConfig},
		{"hsm_access_policy", values{"name": "trading", "statement": []any{
			values{"effect": "permit", "principals": []any{"bot"}, "actions": []any{"sign"}, "keys": []any{"orders"}},
		}}},
	} {
		(&core{server: s.server, t: t, resource: one.resource}).apply(one.config)
	}
	s.m.MakeElsewhere(t, "6f6c64", "legacy")
	s.records, s.credentials, s.policies = maps.Clone(s.m.Records), maps.Clone(s.on.credentials.Stored), maps.Clone(s.on.policies.Stored)
	s.objects = map[string]lifecycletest.Objects{}
	for id, o := range s.m.Objects {
		s.objects[id] = *o
	}
	return s
}

// reset puts everything back.
func (s *stock) reset() {
	restore(s.m.Records, s.records)
	restore(s.on.credentials.Stored, s.credentials)
	restore(s.on.policies.Stored, s.policies)
	clear(s.m.Objects)
	for id, o := range s.objects {
		s.m.Objects[id] = &o
	}
}

func restore[R any](now, before map[string]R) {
	clear(now)
	maps.Copy(now, before)
}

// FuzzImport imports anything as anything: it gives the whole state of what was meant, or
// errors and nothing, and writes only the record of a key that is adopted. What comes
// after "pin-value=" is never repeated.
func FuzzImport(f *testing.F) {
	var s *stock
	f.Fuzz(func(t *testing.T, which uint8, id string) {
		const canary = "c4n4ry-271828"
		if !utf8.ValidString(id) { // nor does Terraform send that
			return
		}
		if s == nil {
			s = newStock(t)
		}
		defer s.reset()
		id = strings.ReplaceAll(id, "PIN", canary)
		kind := importable[int(which)%len(importable)]
		isURI := kind.resource == "hsm_key" && strings.HasPrefix(strings.ToLower(id), "pkcs11:")
		resp, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: kind.resource, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		said := showAll(resp.Diagnostics)
		if isURI && strings.Count(strings.ToLower(id), "pin-value="+canary) == strings.Count(id, canary) && strings.Contains(said, canary) {
			t.Errorf("%s: the PIN is in\n%s", id, said)
		}
		failed := false
		for _, d := range resp.Diagnostics {
			failed = failed || d.Severity == tfprotov6.DiagnosticSeverityError
			if strings.TrimSpace(d.Summary) == "" || strings.TrimSpace(d.Detail) == "" {
				t.Errorf("%s %q: there is an empty diagnostic:\n%s", kind.resource, id, said)
			}
		}
		written := len(s.m.Records) - len(s.records)
		if failed {
			if len(resp.ImportedResources) != 0 || written != 0 {
				t.Errorf("%s %q: %d were imported and %d records written beside\n%s", kind.resource, id, len(resp.ImportedResources), written, said)
			}
			return
		}
		if len(resp.ImportedResources) != 1 {
			t.Fatalf("%s %q: %d were imported", kind.resource, id, len(resp.ImportedResources))
		}
		state := decode(t, s.resourceType(kind.resource), resp.ImportedResources[0].State)
		name := fmt.Sprint(state[kind.name])
		if !isURI && id != name && (kind.resource != "hsm_key_rotation" || !strings.HasPrefix(id, name+"/")) {
			t.Errorf("%s %q: imported is %q", kind.resource, id, name)
		}
		if _, is := s.m.Records[name]; kind.name != "name" && !is {
			t.Errorf("%s %q: imported is %q, which is not there", kind.resource, id, name)
		}
		if written != 0 && (!isURI || written != 1 || s.m.Records[name].Generation != 1) {
			t.Errorf("%s %q: %d records were written", kind.resource, id, written)
		}
		for name, before := range s.records {
			if after := s.m.Records[name]; string(mustEncode(t, after)) != string(mustEncode(t, before)) {
				t.Errorf("%s %q: the record of %q was changed", kind.resource, id, name)
			}
		}
	})
}

func mustEncode[T catalog.Body[T]](t *testing.T, record catalog.Record[T]) []byte {
	t.Helper()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
