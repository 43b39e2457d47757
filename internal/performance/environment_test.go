package performance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

const label = "performance" // of every token

// shape says how large an environment is.
type shape struct {
	keys    int
	rotated bool // with one rotation for each key
}

// configuration declares an environment, of which so many rotations are due. Keys are
// named and not referred to: a thousand references to a resource with a thousand instances
// take Terraform minutes, which would hide what the provider takes.
func (s shape) configuration(module string, due int) string {
	text := fmt.Sprintf(`
terraform {
  required_providers {
    hsm = {
      source = "keystead/hsm"
    }
  }
}

provider "hsm" {
  module_path = %q
  token_label = %q
  environment = "test"
  actor       = "ada@example"
}

resource "hsm_key" "keys" {
  count               = %d
  name                = "key-${count.index}"
  algorithm           = "EC_P256"
  deletion_protection = false
  on_destroy          = "destroy"
}
`, module, label, s.keys)
	if s.rotated {
		text += fmt.Sprintf(`
resource "hsm_key_rotation" "rotations" {
  count               = %d
  key_id              = "key-${count.index}"
  rotate_every        = "2160h"
  overlap             = "168h"
  rotate_when_changed = { word = count.index < %d ? "two" : "one" }
  depends_on          = [hsm_key.keys]
}
`, s.keys, due)
	}
	return text
}

// parts are the names of the resources, each of which has as many instances as there are keys.
func (s shape) parts() []string {
	if s.rotated {
		return []string{"keys", "rotations"}
	}
	return []string{"keys"}
}

// stub is a state in which there is as much of the resources as an import knows.
func (s shape) stub() string {
	const provider = `provider["registry.terraform.io/keystead/hsm"]`
	keys := resource{provider: provider, typ: "hsm_key", name: "keys"}
	rotations := resource{provider: provider, typ: "hsm_key_rotation", name: "rotations"}
	for i := range s.keys {
		name := fmt.Sprintf("key-%d", i)
		keys.instances = append(keys.instances, map[string]any{"id": name, "name": name})
		rotations.instances = append(rotations.instances, map[string]any{
			"id": name + "/1", "key_id": name, "rotate_every": "2160h", "overlap": "168h", "retire_action": "disable",
			"rotate_when_changed": map[string]string{"word": "one"},
		})
	}
	return state([]resource{keys, rotations}[:len(s.parts())]...)
}

// resource is one with all its instances, in a state.
type resource struct {
	provider, typ, name string
	instances           []any
}

// state writes a state as the CLI does.
func state(resources ...resource) string {
	list := make([]any, len(resources))
	for i, r := range resources {
		instances := make([]any, len(r.instances))
		for j, attributes := range r.instances {
			instances[j] = map[string]any{"index_key": j, "schema_version": 0, "attributes": attributes, "sensitive_attributes": []any{}}
		}
		list[i] = map[string]any{"mode": "managed", "type": r.typ, "name": r.name, "provider": r.provider, "instances": instances}
	}
	text, err := json.MarshalIndent(map[string]any{
		"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "00000000-0000-4000-8000-000000000000",
		"outputs": map[string]any{}, "resources": list, "check_results": nil,
	}, "", "  ")
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(text)
}

// environment is a token with all that a shape declares, and the state to go with it, to
// be put into place as often as needed.
type environment struct {
	shape
	tokens string // a copy of the store
	token  softhsm.Token
	state  string
}

// environment makes one, the first time that it is asked for. The token is filled by what
// the provider's resources call, and the state read from it by the CLI: an apply of 5,000
// resources takes Terraform many minutes.
func (l *lab) environment(t *testing.T, s shape) *environment {
	t.Helper()
	if e := l.made[s]; e != nil {
		return e
	}
	begin := time.Now()
	token := softhsm.New(t, label)
	fill(t, token, s)
	w := l.newWorkdir(t, s.configuration(token.Module, 0), s.stub())
	w.run(0, "apply", "-refresh-only", "-auto-approve")
	e := &environment{shape: s, tokens: filepath.Join(l.dir, fmt.Sprintf("%d-%t", s.keys, s.rotated)), token: *token, state: w.state()}
	replace(t, token.Store.TokenDir(), e.tokens)
	l.made[s] = e
	t.Logf("%d keys were ready after %.1f s", s.keys, time.Since(begin).Seconds())
	return e
}

// fill makes keys and rotations as the provider does, but more at a time, so that they
// share more searches.
func fill(t *testing.T, token *softhsm.Token, s shape) {
	t.Helper()
	each(t, token, s.keys, func(ctx context.Context, services *provider.Services, i int) error {
		name := fmt.Sprintf("key-%d", i)
		_, err := services.Keys.Create(ctx, keyring.Spec{
			Name: name, Algorithm: keyring.ECP256, Operations: keyring.ECP256.DefaultOperations(), Enabled: true, OnDestroy: keyring.DestroyDestroys,
		})
		if err == nil && s.rotated {
			_, _, err = services.Keys.Rotate(ctx, name, rotation.Schedule{
				Every: 2160 * time.Hour, Overlap: 168 * time.Hour, RetireAction: keyring.RetireDisables, Declared: keyring.Declaration{
					Every: "2160h", Overlap: "168h", RetireAction: keyring.RetireDisables, RotateWhenChanged: map[string]string{"word": "one"},
				},
			})
		}
		return err
	})
}

// each does something for each number, many at a time.
func each(t *testing.T, token *softhsm.Token, count int, do func(context.Context, *provider.Services, int) error) {
	t.Helper()
	services, shut := assembly.Services(config.Settings{
		ModulePath: token.Module, TokenLabel: token.Label, Environment: "test", Actor: "ada@example",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, time.Now)
	var group sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range count {
		places <- struct{}{}
		group.Go(func() {
			if err := do(t.Context(), services, i); err != nil {
				t.Error(err)
			}
			<-places
		})
	}
	group.Wait()
	if err := shut(); err != nil || t.Failed() {
		t.Fatal("the token was not filled: ", err)
	}
}

// open puts an environment into place, with a token and a directory of its own.
func (e *environment) open(t *testing.T, l *lab) (*softhsm.Token, *workdir) {
	t.Helper()
	token := e.token
	token.Store = softhsm.NewStore(t)
	e.restore(t, &token)
	return &token, l.newWorkdir(t, e.configuration(token.Module, 0), e.state)
}

// restore puts the token back to what it was.
func (e *environment) restore(t *testing.T, token *softhsm.Token) {
	t.Helper()
	replace(t, e.tokens, token.Store.TokenDir())
}

// replace makes one directory a copy of another one.
func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
