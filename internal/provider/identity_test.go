package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// identityType is that of a resource's identity.
func (s *server) identityType(t *testing.T, resource string) tftypes.Type {
	t.Helper()
	resp, err := s.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, resp.Diagnostics)
	schema, ok := resp.IdentitySchemas[resource]
	if !ok {
		t.Fatalf("%s has no identity", resource)
	}
	return schema.ValueType()
}

func wantIdentity(t *testing.T, typ tftypes.Type, when string, got *tfprotov6.ResourceIdentityData, want values) {
	t.Helper()
	if got == nil {
		t.Errorf("%s there is no identity", when)
		return
	}
	identity := decode(t, typ, got.IdentityData)
	for name, value := range want {
		if identity[name] != value {
			t.Errorf("%s the identity is %v, want %v", when, identity, want)
		}
	}
}

// TestIdentity takes each resource through its life: it is identified by environment and
// name, whether or not the CLI remembers that.
func TestIdentity(t *testing.T) {
	m, on := lifecycletest.New(newYear), newShelves()
	s := serveShelves(t, m, on)
	for _, test := range []struct {
		resource, by, name string
		config             values
	}{
		{"hsm_key", "name", "orders", keyConfig},
		{"hsm_key_rotation", "key_id", "orders", rotationConfig},
		{"hsm_api_credential", "name", "bot", botConfig},
		{"hsm_access_policy", "name", "trading", with(policyOf(statement("effect", "forbid", "principals", []any{"any"}, "actions", []any{"get_public_key"}, "keys", []any{"tag:desk=cold"})), "name", "trading")},
	} {
		t.Run(test.resource, func(t *testing.T) {
			typ, identities := s.resourceType(test.resource), s.identityType(t, test.resource)
			want := values{"environment": "test", test.by: test.name}
			c := &core{server: s, t: t, resource: test.resource}

			planned := c.plan(t, test.resource, nil, test.config)
			noErrors(t, planned.diagnostics)
			created, err := s.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
				TypeName: test.resource, PriorState: encode(t, typ, nil), PlannedState: encode(t, typ, planned.values), Config: encode(t, typ, test.config),
			})
			if err != nil {
				t.Fatal(err)
			}
			noErrors(t, created.Diagnostics)
			wantIdentity(t, identities, "after the creation", created.NewIdentity, want)

			stored := &tfprotov6.ResourceIdentityData{IdentityData: encode(t, identities, want)}
			for when, remembered := range map[string]*tfprotov6.ResourceIdentityData{"after a refresh": stored, "after a refresh by an older CLI": nil} {
				read, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: test.resource, CurrentState: created.NewState, CurrentIdentity: remembered})
				if err != nil {
					t.Fatal(err)
				}
				noErrors(t, read.Diagnostics)
				wantIdentity(t, identities, when, read.NewIdentity, want)
			}

			for when, asked := range map[string]values{"by both": want, "by the name": {test.by: test.name}} {
				resp, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
					TypeName: test.resource, Identity: &tfprotov6.ResourceIdentityData{IdentityData: encode(t, identities, asked)},
				})
				if err != nil {
					t.Fatal(err)
				}
				noErrors(t, resp.Diagnostics)
				if len(resp.ImportedResources) != 1 {
					t.Fatalf("%s %d resources were imported", when, len(resp.ImportedResources))
				}
				wantIdentity(t, identities, "imported "+when, resp.ImportedResources[0].Identity, want)
				c.state = c.whole(typ, resp.ImportedResources[0].State)
				c.settled(test.config)
			}
			wrong, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{
				TypeName: test.resource, Identity: &tfprotov6.ResourceIdentityData{IdentityData: encode(t, identities, with(want, "environment", "prod"))},
			})
			if err != nil {
				t.Fatal(err)
			}
			wantDiagnostic(t, wrong.Diagnostics, "", "wrong environment", `"prod"`, `"test"`)

			// What is gone says so to a CLI that remembers no identity, too.
			empty := serveMemory(t, lifecycletest.New(newYear))
			if _, err := empty.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: test.resource, CurrentState: created.NewState}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A provider whose configuration is not known yet keeps the identity that there is, and
// gives what it knows where there is none.
func TestIdentityOfUnknownProvider(t *testing.T) {
	s := newServer(t)
	noErrors(t, s.configure(t, values{"module_path": "/m", "token_label": unknown}))
	typ, identities := s.resourceType("hsm_key"), s.identityType(t, "hsm_key")
	for name, test := range map[string]struct{ stored, want values }{
		"stored":     {values{"environment": "test", "name": "orders"}, values{"environment": "test", "name": "orders"}},
		"not stored": {nil, values{"name": "orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			req := &tfprotov6.ReadResourceRequest{TypeName: "hsm_key", CurrentState: encode(t, typ, keyState())}
			if test.stored != nil {
				req.CurrentIdentity = &tfprotov6.ResourceIdentityData{IdentityData: encode(t, identities, test.stored)}
			}
			read, err := s.ReadResource(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			noErrors(t, read.Diagnostics)
			wantIdentity(t, identities, "after the refresh", read.NewIdentity, test.want)
		})
	}
}
