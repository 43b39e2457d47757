package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// actions is the part of the server that is about actions.
func (s *server) actions(t *testing.T) tfprotov6.ActionServer {
	t.Helper()
	server, ok := s.ProviderServer.(tfprotov6.ActionServer)
	if !ok {
		t.Fatal("the server has no actions")
	}
	return server
}

// lists is the part of the server that is about lists.
func (s *server) lists(t *testing.T) tfprotov6.ListResourceServer {
	t.Helper()
	server, ok := s.ProviderServer.(tfprotov6.ListResourceServer)
	if !ok {
		t.Fatal("the server has no lists")
	}
	return server
}

// invoke runs an action and returns what it reported on the way, and at the end.
func (s *server) invoke(t *testing.T, action string, config values) (progress string, diagnostics []*tfprotov6.Diagnostic) {
	t.Helper()
	typ := s.schema.ActionSchemas[action].Schema.ValueType()
	valid, err := s.actions(t).ValidateActionConfig(t.Context(), &tfprotov6.ValidateActionConfigRequest{ActionType: action, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	if len(valid.Diagnostics) > 0 {
		return "", valid.Diagnostics
	}
	stream, err := s.actions(t).InvokeAction(t.Context(), &tfprotov6.InvokeActionRequest{ActionType: action, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	completed := false
	for event := range stream.Events {
		switch event := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress += event.Message + "\n"
		case tfprotov6.CompletedInvokeActionEventType:
			completed, diagnostics = true, event.Diagnostics
		}
	}
	if !completed {
		t.Error("the action did not say that it is at its end")
	}
	return progress, diagnostics
}

func wantText(t *testing.T, text string, says ...string) {
	t.Helper()
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

// TestRotateKeyAction rotates a key that an hsm_key_rotation manages, when it is due: the
// resource sees the new version and has nothing left to do.
func TestRotateKeyAction(t *testing.T) {
	m := lifecycletest.New(newYear)
	key := newKey(t, m)
	key.apply(keyConfig)
	rotation := &core{server: key.server, t: t, resource: "hsm_key_rotation"}
	rotation.apply(rotationConfig)
	m.Pass(100 * 24 * time.Hour)
	rotation.refresh()
	if rotation.state["rotation_due"] != true {
		t.Fatalf("nothing is due: %v", rotation.state)
	}

	progress, diagnostics := key.invoke(t, "hsm_rotate_key", values{"key_id": "orders"})
	noErrors(t, diagnostics)
	wantText(t, progress, "generates the next version", "version 2 is current", "Version 1 may verify, decrypt and unwrap until 2027-04-18T00:00:00Z")

	p := rotation.apply(rotationConfig)
	if len(p.replace) > 0 || rotation.state["version"] != 2 || rotation.state["rotation_due"] != false || rotation.state["superseded"] != false || rotation.state["rotate_at"] != "2027-07-10T00:00:00Z" {
		t.Errorf("the plan replaces %v; the rotation is %v", p.replace, rotation.state)
	}
	key.apply(keyConfig)
	if key.state["current_version"] != 2 {
		t.Errorf("the key is %v", key.state)
	}
	// The next period ends as it would have without the action.
	m.Pass(91 * 24 * time.Hour)
	rotation.apply(rotationConfig)
	if rotation.state["version"] != 3 {
		t.Errorf("after the period the rotation is %v", rotation.state)
	}
	rotation.apply(with(rotationConfig, "pinned_version", 2))
	_, diagnostics = key.invoke(t, "hsm_rotate_key", values{"key_id": "orders"})
	wantDiagnostic(t, diagnostics, "", "pins version 2", "pinned_version")
}

func TestRevokeKeyVersionAction(t *testing.T) {
	m := lifecycletest.New(newYear)
	key := newKey(t, m)
	key.apply(keyConfig)
	rotation := &core{server: key.server, t: t, resource: "hsm_key_rotation"}
	rotation.apply(rotationConfig)

	progress, diagnostics := key.invoke(t, "hsm_revoke_key_version", values{"key_id": "orders", "version": 1, "reason": "key_compromise"})
	noErrors(t, diagnostics)
	wantText(t, progress, "A revocation is final.", "version 1 is revoked for good (key_compromise); enforcement: hsm")
	wantDiagnostic(t, diagnostics, "", "no current version", "hsm_rotate_key", "hsm_key_rotation is due")

	rotation.refresh()
	if rotation.state["rotation_due"] != true || version(t, rotation.state, "1")["state"] != "compromised" {
		t.Errorf("the rotation is %v", rotation.state)
	}
	rotation.apply(rotationConfig)
	if rotation.state["version"] != 2 {
		t.Errorf("the rotation is %v", rotation.state)
	}
	// Revoking what is not current asks for nothing more.
	_, diagnostics = key.invoke(t, "hsm_revoke_key_version", values{"key_id": "orders", "version": 1, "reason": "superseded"})
	if len(diagnostics) > 0 {
		t.Errorf("it is said: %s", showAll(diagnostics))
	}
}

func TestActionsRefuse(t *testing.T) {
	m := lifecycletest.New(newYear)
	newKey(t, m).apply(keyConfig)
	s := serveMemory(t, m)
	for name, test := range map[string]struct {
		action string
		config values
		says   []string
	}{
		"rotate, a strange name":      {"hsm_rotate_key", values{"key_id": "my orders"}, []string{"1 to 63 letters"}},
		"rotate, no such key":         {"hsm_rotate_key", values{"key_id": "nobody"}, []string{"not found", "no key of this name"}},
		"revoke, a strange reason":    {"hsm_revoke_key_version", values{"key_id": "orders", "version": 1, "reason": "lost"}, []string{"key_compromise"}},
		"revoke, no version":          {"hsm_revoke_key_version", values{"key_id": "orders", "version": 0, "reason": "superseded"}, []string{"at least 1"}},
		"revoke, no such version":     {"hsm_revoke_key_version", values{"key_id": "orders", "version": 9, "reason": "superseded"}, []string{"no such version", "It has: 1."}},
		"revoke, the derivation key":  {"hsm_revoke_key_version", values{"key_id": ".derivation", "version": 1, "reason": "superseded"}, []string{"1 to 63 letters"}},
		"revoke, a key that is not":   {"hsm_revoke_key_version", values{"key_id": "nobody", "version": 1, "reason": "superseded"}, []string{"no key of this name"}},
		"rotate, without a key's id ": {"hsm_rotate_key", values{}, []string{"key_id"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, diagnostics := s.invoke(t, test.action, test.config)
			wantDiagnostic(t, diagnostics, "", test.says...)
		})
	}
	unready := newServer(t)
	noErrors(t, unready.configure(t, values{"module_path": "/m", "token_label": unknown}))
	_, diagnostics := unready.invoke(t, "hsm_rotate_key", values{"key_id": "orders"})
	wantDiagnostic(t, diagnostics, "", "not known yet", "token_label")
}

// query lists a resource.
func (s *server) query(t *testing.T, resource string, config values, include bool, limit int64) []tfprotov6.ListResourceResult {
	t.Helper()
	typ := s.schema.ListResourceSchemas[resource].ValueType()
	stream, err := s.lists(t).ListResource(t.Context(), &tfprotov6.ListResourceRequest{TypeName: resource, Config: encode(t, typ, config), IncludeResource: include, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	var results []tfprotov6.ListResourceResult
	for result := range stream.Results {
		results = append(results, result)
	}
	return results
}

func TestKeyList(t *testing.T) {
	m := lifecycletest.New(newYear)
	states := map[string]values{}
	for name, config := range map[string]values{
		"archive": {"name": "archive", "algorithm": "AES_256", "tags": values{"team": "a"}},
		"orders":  with(keyConfig, "tags", values{"team": "a", "tier": "1"}),
		"paused":  with(keyConfig, "name", "paused", "enabled", false),
		"removed": with(keyConfig, "name", "removed", "deletion_protection", false),
	} {
		c := newKey(t, m)
		c.apply(config)
		states[name] = c.state
		if name == "removed" {
			c.apply(nil)
		}
	}
	s := serveMemory(t, m)
	typ, identities := s.resourceType("hsm_key"), s.identityType(t, "hsm_key")
	for name, test := range map[string]struct {
		config values
		limit  int64
		want   []string
	}{
		"all":                {values{}, 100, []string{"archive", "orders", "paused"}},
		"limited":            {values{}, 2, []string{"archive", "orders"}},
		"by tag":             {values{"tags": values{"team": "a"}}, 100, []string{"archive", "orders"}},
		"by tags":            {values{"tags": values{"team": "a", "tier": "1"}}, 100, []string{"orders"}},
		"by state":           {values{"state": "suspended"}, 100, []string{"paused"}},
		"by state, and tag":  {values{"state": "active", "tags": values{"tier": "1"}}, 100, []string{"orders"}},
		"nothing of the tag": {values{"tags": values{"team": "b"}}, 100, nil},
	} {
		for _, include := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var got []string
				for _, result := range s.query(t, "hsm_key", test.config, include, test.limit) {
					noErrors(t, result.Diagnostics)
					got = append(got, result.DisplayName)
					wantIdentity(t, identities, "in a list", result.Identity, values{"environment": "test", "name": result.DisplayName})
					if (result.Resource != nil) != include {
						t.Fatalf("the resource is %v", result.Resource)
					}
					if include {
						is := decode(t, typ, result.Resource)
						if want := s.plan(t, "hsm_key", states[result.DisplayName], nil); want.prior["public_key_pem"] != is["public_key_pem"] || want.prior["id"] != is["id"] {
							t.Errorf("the list shows %v", is)
						}
					}
				}
				if strings.Join(got, " ") != strings.Join(test.want, " ") {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	}
	wrong := lifecycletest.New(newYear)
	wrong.Stamp = "prod"
	results := serveMemory(t, wrong).query(t, "hsm_key", values{}, false, 10)
	if len(results) != 1 {
		t.Fatalf("there are %d results", len(results))
	}
	wantDiagnostic(t, results[0].Diagnostics, "", "wrong environment", `"prod"`)
}
