package policy_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/catalogtest"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// place is where the policies of a token are kept, and its mark. It is a
// policy.Directory too.
type place struct {
	*catalogtest.Memory[*policy.Policy]
	stamp string
	world policy.World
	now   time.Time
}

func newPlace() *place {
	return &place{Memory: catalogtest.NewMemory[*policy.Policy]("access policy"), world: tradingDesk(), now: noon}
}

func (p *place) Environment(context.Context) (string, error) {
	if p.stamp == "" && len(p.Stored) > 0 {
		return "", &fault.Error{Kind: fault.Inconsistent, Op: "read environment", Problem: "There are records and no stamp."}
	}
	return p.stamp, nil
}

func (p *place) Stamp(_ context.Context, name, _ string) error {
	return p.Write(func() { p.stamp = name })
}

func (p *place) Principals(context.Context) ([]policy.Principal, error) {
	return p.world.Principals, nil
}

func (p *place) Keys(context.Context) ([]*keyring.Key, error) { return p.world.Keys, nil }

// service is one run in an environment.
func (p *place) service(name string) *policy.Service {
	return policy.New(policy.Config{
		Store: p.Memory, Directory: p, Environment: environment.New(name, "alice", p), Actor: "alice", Now: func() time.Time { return p.now },
	})
}

// withTrading is a place with a living policy.
func withTrading(t *testing.T) *place {
	t.Helper()
	p := newPlace()
	if _, err := p.service("prod").Create(t.Context(), trading().Spec); err != nil {
		t.Fatal(err)
	}
	return p
}

func wantFault(t *testing.T, err error, kind fault.Kind, says string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || !strings.Contains(f.Error()+" "+f.Hint, says) {
		t.Errorf("%v (%v), expected %v that says %q", err, fault.KindOf(err), kind, says)
	}
}

func TestServiceLife(t *testing.T) {
	p, ctx := newPlace(), t.Context()
	s := p.service("prod")
	spec := trading().Spec
	made, err := s.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	if p.stamp != "prod" || !made.CreatedAt.Equal(noon) || !reflect.DeepEqual(made.Spec, spec) {
		t.Errorf("%q, %+v", p.stamp, made)
	}

	p.now = noon.Add(time.Hour + time.Millisecond)
	spec.Enabled, spec.Statements = false, spec.Statements[1:]
	if _, err := s.Update(ctx, spec); err != nil {
		t.Fatal(err)
	}
	read, err := s.Read(ctx, "trading", true)
	if err != nil || !reflect.DeepEqual(read.Spec, spec) || !read.CreatedAt.Equal(noon) {
		t.Errorf("%+v, %v", read, err)
	}
	imported, err := s.Read(ctx, "trading", false)
	if err != nil || !reflect.DeepEqual(imported, read) {
		t.Errorf("%+v, %v", imported, err)
	}

	p.now = noon.Add(2 * time.Hour)
	for range 2 { // a second time it is gone already
		if err := s.Destroy(ctx, "trading"); err != nil {
			t.Fatal(err)
		}
	}
	for _, known := range []bool{true, false} {
		_, err = s.Read(ctx, "trading", known)
		wantFault(t, err, fault.NotFound, "removed on 2026-03-03 by alice")
	}
	_, err = s.Update(ctx, spec)
	wantFault(t, err, fault.NotFound, "removed")
	if list, err := s.List(ctx); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}

	p.now = noon.Add(3 * time.Hour)
	again, err := s.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	var history []string
	for _, h := range again.Chain.All() {
		history = append(history, h.At.Format("15:04:05.000 ")+h.What+" by "+h.Actor+" "+h.Reason)
	}
	want := []string{"12:00:00.000 created by alice ",
		"13:00:00.000 updated by alice enabled true → false, statements 2 → 1, statement 1 principals +bot −web, statement 1 actions +sign +get_public_key",
		"14:00:00.000 removed by alice ", "15:00:00.000 created by alice "}
	if !slices.Equal(history, want) || again.Tombstone != nil || !again.CreatedAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("%q, %+v", history, again)
	}
}

func TestServiceRefusals(t *testing.T) {
	mistaken := trading().Spec
	mistaken.Statements = slices.Clone(mistaken.Statements)
	mistaken.Statements[1].Keys = one("order")
	for name, tc := range map[string]struct {
		change func(*place)
		verb   func(context.Context, *policy.Service) error
		want   fault.Kind
		says   string
	}{
		"a name in use": {
			verb: func(ctx context.Context, s *policy.Service) error {
				_, err := s.Create(ctx, trading().Spec)
				return err
			},
			want: fault.Exists, says: "to = hsm_access_policy.NAME_OF_THE_RESOURCE\n    id = \"trading\"",
		},
		"creating with a mistake": {
			verb: func(ctx context.Context, s *policy.Service) error {
				spec := mistaken
				spec.Name = "other"
				_, err := s.Create(ctx, spec)
				return err
			},
			want: fault.Invalid, says: `access policy "other", statement 2, keys`,
		},
		"updating with a mistake": {
			verb: func(ctx context.Context, s *policy.Service) error {
				_, err := s.Update(ctx, mistaken)
				return err
			},
			want: fault.Invalid, says: `Did you mean "orders"?`,
		},
		"an unusable name": {
			verb: func(ctx context.Context, s *policy.Service) error {
				spec := trading().Spec
				spec.Name = "no/name"
				_, err := s.Create(ctx, spec)
				return err
			},
			want: fault.Invalid, says: "usable policy name",
		},
		"importing what there is not": {
			verb: func(ctx context.Context, s *policy.Service) error { _, err := s.Read(ctx, "other", false); return err },
			want: fault.NotFound, says: "no access policy of this name",
		},
		"importing from an empty token": {
			change: func(p *place) { p.stamp = ""; clear(p.Stored) },
			verb: func(ctx context.Context, s *policy.Service) error {
				_, err := s.Read(ctx, "trading", false)
				return err
			},
			want: fault.NotFound, says: "no environment's stamp",
		},
		"reading on an empty token": {
			change: func(p *place) { p.stamp = ""; clear(p.Stored) },
			verb:   func(ctx context.Context, s *policy.Service) error { _, err := s.Read(ctx, "trading", true); return err },
			want:   fault.Inconsistent, says: "another token",
		},
		"reading a lost record": {
			change: func(p *place) { clear(p.Stored) },
			verb:   func(ctx context.Context, s *policy.Service) error { _, err := s.Read(ctx, "trading", true); return err },
			want:   fault.Inconsistent, says: "terraform state rm",
		},
		"updating a lost record": {
			change: func(p *place) { clear(p.Stored) },
			verb: func(ctx context.Context, s *policy.Service) error {
				_, err := s.Update(ctx, trading().Spec)
				return err
			},
			want: fault.Inconsistent, says: "older backup",
		},
		"removing a lost record": {
			change: func(p *place) { clear(p.Stored) },
			verb:   func(ctx context.Context, s *policy.Service) error { return s.Destroy(ctx, "trading") },
			want:   fault.Inconsistent, says: "older backup",
		},
		"asking who names a key where that cannot be told": {
			change: func(p *place) { p.Stored["trading"].Body.Spec.Statements[0].Effect = "allow" },
			verb: func(ctx context.Context, s *policy.Service) error {
				_, err := s.NamingKey(ctx, "orders")
				return err
			},
			want: fault.Inconsistent, says: `access policy "trading", statement 1, effect`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := withTrading(t)
			if tc.change != nil {
				tc.change(p)
			}
			p.Write = func(func()) error { t.Error("a refused verb writes"); return nil }
			wantFault(t, tc.verb(t.Context(), p.service("prod")), tc.want, tc.says)
		})
	}
}

// verbs is every verb of a Service, on the policy "trading".
var verbs = map[string]func(context.Context, *policy.Service) error{
	"create": func(ctx context.Context, s *policy.Service) error {
		_, err := s.Create(ctx, trading().Spec)
		return err
	},
	"update": func(ctx context.Context, s *policy.Service) error {
		_, err := s.Update(ctx, trading().Spec)
		return err
	},
	"destroy": func(ctx context.Context, s *policy.Service) error { return s.Destroy(ctx, "trading") },
	"read":    func(ctx context.Context, s *policy.Service) error { _, err := s.Read(ctx, "trading", true); return err },
	"import": func(ctx context.Context, s *policy.Service) error {
		_, err := s.Read(ctx, "trading", false)
		return err
	},
	"list":   func(ctx context.Context, s *policy.Service) error { _, err := s.List(ctx); return err },
	"world":  func(ctx context.Context, s *policy.Service) error { _, _, err := s.World(ctx); return err },
	"naming": func(ctx context.Context, s *policy.Service) error { _, err := s.NamingKey(ctx, "orders"); return err },
}

func TestEveryVerbRefusesAnotherEnvironment(t *testing.T) {
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			p := withTrading(t)
			p.Write = func(func()) error { t.Error("a refused verb writes"); return nil }
			wantFault(t, verb(t.Context(), p.service("dev")), fault.Environment, `"prod"`)
		})
	}
}

// TestEveryWriteMayFail lets each write of each verb fail before and after it took effect,
// and the run be repeated: by then everything is as if nothing had failed, or the policy
// that is in the way can be imported.
func TestEveryWriteMayFail(t *testing.T) {
	broken := &fault.Error{Kind: fault.Unavailable, Op: "write", Problem: "The connection is lost."}
	for name, tc := range map[string]struct {
		start  func(*testing.T) *place
		verb   string
		writes int
	}{
		"first of a token": {func(*testing.T) *place { return newPlace() }, "create", 2},
		"create again":     {removed, "create", 1},
		"update":           {withTrading, "update", 1},
		"destroy":          {withTrading, "destroy", 1},
	} {
		for at := range tc.writes {
			for when, took := range map[string]bool{"before": false, "after": true} {
				t.Run(name+" "+when+" write "+string(rune('1'+at)), func(t *testing.T) {
					p := tc.start(t)
					count := 0
					p.Write = func(change func()) error {
						count++
						if count-1 != at {
							change()
							return nil
						}
						if took {
							change()
						}
						return broken
					}
					wantFault(t, verbs[tc.verb](t.Context(), p.service("prod")), fault.Unavailable, "lost")
					if count != at+1 {
						t.Errorf("%d writes", count)
					}
					p.Write = func(change func()) error { change(); return nil }
					err := verbs[tc.verb](t.Context(), p.service("prod"))
					switch isLast := at == tc.writes-1; {
					case tc.verb == "create" && took && isLast:
						wantFault(t, err, fault.Exists, "import")
					case err != nil:
						t.Error(err)
					}
					read, err := p.service("prod").Read(t.Context(), "trading", true)
					if tc.verb == "destroy" {
						wantFault(t, err, fault.NotFound, "removed")
					} else if err != nil || !reflect.DeepEqual(read.Spec, trading().Spec) {
						t.Errorf("%+v, %v", read, err)
					}
				})
			}
		}
	}
}

// removed is a place whose policy was removed.
func removed(t *testing.T) *place {
	t.Helper()
	p := withTrading(t)
	if err := p.service("prod").Destroy(t.Context(), "trading"); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestServiceNotesRivals(t *testing.T) {
	p := withTrading(t)
	rival := p.Stored["trading"]
	load := p.Enter
	p.Enter = func() (func(), error) { // somebody else writes between our reading and writing
		leave, err := load()
		if rec := p.Stored["trading"]; rec.Generation == rival.Generation {
			return func() {
				rec.Generation++
				p.Stored["trading"] = rec
				leave()
			}, err
		}
		return leave, err
	}
	wantFault(t, p.service("prod").Destroy(t.Context(), "trading"), fault.Conflict, "Somebody else")
	if p.Stored["trading"].Body.Tombstone != nil {
		t.Error("the rival's policy was removed")
	}
}

func TestWorldAndNamingKey(t *testing.T) {
	p, ctx := withTrading(t), t.Context()
	s := p.service("prod")
	off := written("off", `permit (principal, action == Action::"sign", resource) when { resource == Key::"wallet" || resource == Key::"orders" };`).Spec
	off.Enabled = false
	gone := enabled("gone", permit(one("bot"), one("sign"), one("orders"))).Spec
	for _, spec := range []policy.Spec{off, gone} {
		if _, err := s.Create(ctx, spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Destroy(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	world, policies, err := s.World(ctx)
	if err != nil || world.Environment != "prod" || !reflect.DeepEqual(world.Principals, p.world.Principals) || len(world.Keys) != len(p.world.Keys) {
		t.Errorf("%+v, %v", world, err)
	}
	if len(policies) != 2 || policies[0].Spec.Name != "off" || policies[1].Spec.Name != "trading" {
		t.Errorf("%+v", policies)
	}
	for key, want := range map[string][]string{
		"orders": {`access policy "off"`, `access policy "trading"`}, "wallet": {`access policy "off"`}, "vault": nil,
	} {
		if got, err := s.NamingKey(ctx, key); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

// TestRecords holds policies to the contract of records.
func TestRecords(t *testing.T) {
	catalogtest.Suite[*policy.Policy]{
		Fresh: func(*testing.T) func() catalogtest.Store[*policy.Policy] {
			p := newPlace()
			return func() catalogtest.Store[*policy.Policy] { return marked{p} }
		},
		Body: catalogtest.Policy, Spoil: catalogtest.SpoilPolicy,
	}.Run(t)
}

// marked is a place that keeps to the contract of a mark.
type marked struct{ *place }

func (m marked) Stamp(ctx context.Context, name, actor string) error {
	leave, err := m.Enter()
	defer leave()
	if err != nil {
		return err
	}
	stamped, err := m.Environment(ctx)
	switch {
	case name == "":
		return &fault.Error{Kind: fault.Invalid, Op: "stamp", Problem: "An environment needs a name."}
	case err != nil:
		return err
	case stamped != "" && stamped != name:
		return &fault.Error{Kind: fault.Environment, Op: "stamp", Problem: "The token belongs to another environment."}
	}
	return m.place.Stamp(ctx, name, actor)
}
