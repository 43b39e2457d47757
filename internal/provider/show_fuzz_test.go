package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// FuzzShow has a record on the token that no run wrote, and shows it in every way there
// is: as the state of a resource, in a list, and by what access it gives. That may fail,
// with an explanation.
func FuzzShow(f *testing.F) {
	var s *stock
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		if s == nil {
			s = newStock(t)
		}
		defer s.reset()
		kind := importable[int(which)%len(importable)]
		name, ok := "", false
		switch kind.resource {
		case "hsm_key", "hsm_key_rotation":
			name, ok = plant(text, s.m.Records, func(k *keyring.Key) string { return k.Spec.Name })
		case "hsm_api_credential":
			name, ok = plant(text, s.on.credentials.Stored, func(c *credential.Credential) string { return c.Spec.Name })
		case "hsm_access_policy":
			name, ok = plant(text, s.on.policies.Stored, func(p *policy.Policy) string { return p.Spec.Name })
		}
		if !ok {
			return
		}
		said := func(diagnostics []*tfprotov6.Diagnostic, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range diagnostics {
				if strings.TrimSpace(d.Summary) == "" || strings.TrimSpace(d.Detail) == "" || strings.Contains(d.Detail, "provider developer") {
					t.Errorf("%s\nis shown with\n%s", text, showAll(diagnostics))
				}
			}
		}
		imported, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: kind.resource, ID: name})
		said(imported.Diagnostics, err)
		for _, one := range imported.ImportedResources {
			read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: kind.resource, CurrentState: one.State, Private: one.Private})
			said(read.Diagnostics, err)
		}
		for _, source := range []string{"hsm_keys", "hsm_access_report"} {
			typ := s.schema.DataSourceSchemas[source].ValueType()
			read, err := s.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: source, Config: encode(t, typ, values{})})
			said(read.Diagnostics, err)
		}
	})
}

// plant puts a body among the records, if it is one that a catalog hands out.
func plant[B any, T interface {
	*B
	catalog.Body[T]
}](text []byte, among map[string]catalog.Record[T], nameOf func(T) string) (name string, ok bool) {
	body := T(new(B))
	if json.Unmarshal(text, body) != nil || body.Flaw() != "" {
		return "", false
	}
	name = nameOf(body)
	among[name] = catalog.Record[T]{Body: body, Generation: 1, ID: "planted"}
	return name, true
}
