package provider_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// failing makes one reading call fail, the n-th, of records and token alike.
type failing struct {
	nth, calls int
	kind       fault.Kind
}

func (f *failing) call() error {
	if f.calls++; f.calls != f.nth {
		return nil
	}
	return &fault.Error{Kind: f.kind, Op: "read", Subject: "something", Problem: "It was made to fail."}
}

func (f *failing) hasFailed() bool { return f.calls >= f.nth }

type failingRecords[T catalog.Body[T]] struct {
	catalog.Records[T]
	fail *failing
}

func (r failingRecords[T]) Load(ctx context.Context, name string) (record catalog.Record[T], err error) {
	if err := r.fail.call(); err != nil {
		return record, err
	}
	return r.Records.Load(ctx, name)
}

func (r failingRecords[T]) Look(ctx context.Context, name string) (record catalog.Record[T], err error) {
	if err := r.fail.call(); err != nil {
		return record, err
	}
	return r.Records.Look(ctx, name)
}

func (r failingRecords[T]) List(ctx context.Context) ([]catalog.Record[T], error) {
	if err := r.fail.call(); err != nil {
		return nil, err
	}
	return r.Records.List(ctx)
}

type failingToken struct {
	lifecycle.Token
	fail *failing
}

func (t failingToken) Inspect(ctx context.Context, ref keyring.Ref, try keyring.Operations) (sighting lifecycle.Sighting, err error) {
	if err := t.fail.call(); err != nil {
		return sighting, err
	}
	return t.Token.Inspect(ctx, ref, try)
}

func (t failingToken) Prove(ctx context.Context, ref keyring.Ref, recorded keyring.PublicKey, fingerprint string) (proof lifecycle.Proof, err error) {
	if err := t.fail.call(); err != nil {
		return proof, err
	}
	return t.Token.Prove(ctx, ref, recorded, fingerprint)
}

func (t failingToken) Info(ctx context.Context) (info keyring.TokenInfo, err error) {
	if err := t.fail.call(); err != nil {
		return info, err
	}
	return t.Token.Info(ctx)
}

// The rule that everything rests on: nothing but evidence that it was removed takes a
// resource out of the state. Whatever call of a refresh fails, and however, it is an error.
func TestRefreshThatFailsKeepsTheState(t *testing.T) {
	m, on := lifecycletest.New(newYear), newShelves()
	pieces := []piece{
		{"hsm_key", values{"name": "orders", "algorithm": "EC_P256"}},
		{"hsm_key_rotation", values{"key_id": "orders", "rotate_every": "720h"}},
		newcomer(t, "bot", "desk"),
		{"hsm_access_policy", policyOf(statement("principals", []any{"bot"}))},
	}
	healthy := serveShelves(t, m, on)
	all := applyAll(t, healthy, pieces)
	for i, p := range pieces {
		all[i] = healthy.refresh(t, p.resource, all[i])
	}
	kinds := []fault.Kind{
		fault.Internal, fault.Invalid, fault.Unsupported, fault.Exists, fault.Conflict, fault.Inconsistent, fault.Protected, fault.Environment,
		fault.Denied, fault.Unavailable, fault.Exhausted,
	}
	for i, p := range pieces {
		for _, kind := range kinds {
			t.Run(fmt.Sprintf("%s/%v", p.resource, kind), func(t *testing.T) {
				nth := 1
				for ; ; nth++ {
					fail := &failing{nth: nth, kind: kind}
					s := newServerWith(t, func(settings config.Settings) *provider.Services {
						c := m.ConfigIn(settings.Environment, settings.Actor)
						c.Token, c.Catalog = failingToken{c.Token, fail}, failingRecords[*keyring.Key]{c.Catalog, fail}
						return assembly.Join(c, failingRecords[*credential.Credential]{on.credentials, fail}, failingRecords[*policy.Policy]{on.policies, fail})
					})
					noErrors(t, s.configure(t, values{"module_path": "/m", "token_label": lifecycletest.Label, "environment": "test"}))
					typ := s.resourceType(p.resource)
					resp, err := s.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: p.resource, CurrentState: encode(t, typ, all[i].state), Private: all[i].private})
					if err != nil {
						t.Fatal(err)
					}
					if !fail.hasFailed() {
						noErrors(t, resp.Diagnostics)
						break
					}
					wantDiagnostic(t, resp.Diagnostics, wholeBlock, "ERROR", "made to fail")
					if now := decode(t, typ, resp.NewState); !reflect.DeepEqual(now, all[i].state) {
						t.Fatalf("call %d fails, and the state is %v", nth, now)
					}
				}
				if nth == 1 {
					t.Error("a refresh reads nothing")
				}
			})
		}
	}
}
