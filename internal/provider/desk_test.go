package provider_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// desk is an environment with keys and credentials, for tests of the access to them.
// Every server is a process of its own.
type desk struct {
	t  *testing.T
	m  *lifecycletest.Memory
	on *shelves
}

// newDesk returns a desk with the keys "orders" (tagged desk=spot) and "archive" and the
// credentials "bot" (of spot-desk, tagged desk=spot) and "ada" (of ada).
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t, lifecycletest.New(newYear), newShelves()}
	d.key(keyring.Spec{Name: "orders", Algorithm: keyring.ECP256, Tags: map[string]string{"desk": "spot"}})
	d.key(keyring.Spec{Name: "archive", Algorithm: keyring.AES256})
	d.caller(credential.Spec{Name: "bot", Owner: "spot-desk", Tags: map[string]string{"desk": "spot"}})
	d.caller(credential.Spec{Name: "ada", Owner: "ada"})
	return d
}

func (d *desk) key(spec keyring.Spec) {
	d.t.Helper()
	spec.Operations, spec.Enabled, spec.OnDestroy = spec.Algorithm.DefaultOperations(), true, keyring.DestroyDisables
	if _, err := d.m.Run().Create(d.t.Context(), spec); err != nil {
		d.t.Fatal(err)
	}
}

// caller records a credential with one version.
func (d *desk) caller(spec credential.Spec) {
	spec.Enabled, spec.Type = true, credential.PublicKey
	d.on.credentials.Stored[spec.Name] = catalog.Record[*credential.Credential]{
		Generation: 1, ID: spec.Name, Body: &credential.Credential{
			Spec: spec, CreatedAt: newYear, Counter: 1,
			Versions: map[int]*credential.Version{1: {Number: 1, Algorithm: credential.Ed25519, Fingerprint: "00", CreatedAt: newYear}},
		},
	}
}

// credential is a recorded one itself, to be tampered with.
func (d *desk) credential(name string) *credential.Credential {
	return d.on.credentials.Stored[name].Body
}

// leave removes a credential.
func (d *desk) leave(name string) {
	d.credential(name).Tombstone = &credential.Tombstone{At: newYear, Actor: "ada@example"}
}

func (d *desk) serve(t *testing.T) *server {
	t.Helper()
	return serveShelves(t, d.m, d.on)
}

// policies starts a process that works on one hsm_access_policy.
func (d *desk) policies(t *testing.T) *core {
	t.Helper()
	return &core{server: d.serve(t), t: t, resource: "hsm_access_policy"}
}

// apply starts the process of one more `terraform apply`, and carries it out.
func (d *desk) apply(c *core, config values) plan {
	c.t.Helper()
	c.server = d.serve(c.t)
	return c.apply(config)
}

// grants writes effective_access, one line each: "bot sign orders", with "if" at the end
// under conditions.
func grants(t *testing.T, v values) []string {
	t.Helper()
	if v["effective_access"] == any(unknown) {
		return []string{"unknown"}
	}
	all, ok := v["effective_access"].([]any)
	if !ok {
		t.Fatalf("effective_access is %v", v["effective_access"])
	}
	lines := []string{}
	for _, each := range all {
		lines = append(lines, line(each.(values)))
	}
	slices.Sort(lines)
	return lines
}

func line(g values) string {
	text := fmt.Sprintf("%s %s %s", g["principal"], g["action"], g["key"])
	if g["conditional"] == true {
		text += " if"
	}
	return text
}

func wantGrants(t *testing.T, what string, v values, want ...string) {
	t.Helper()
	if got := grants(t, v); !slices.Equal(got, want) {
		t.Errorf("%s: access is %q, want %q", what, got, want)
	}
}

// ask reads a data source.
func (s *server) ask(t *testing.T, name string, config values) (values, []*tfprotov6.Diagnostic) {
	t.Helper()
	typ := s.schema.DataSourceSchemas[name].ValueType()
	checked, err := s.ValidateDataResourceConfig(t.Context(), &tfprotov6.ValidateDataResourceConfigRequest{TypeName: name, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	if len(checked.Diagnostics) > 0 {
		return nil, checked.Diagnostics
	}
	resp, err := s.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: encode(t, typ, config)})
	if err != nil {
		t.Fatal(err)
	}
	if resp.State == nil {
		return nil, resp.Diagnostics
	}
	return decode(t, typ, resp.State), resp.Diagnostics
}

// day is a time of the first day.
func day(hour int) time.Time { return newYear.Add(time.Duration(hour) * time.Hour) }
