package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// BenchmarkPlan plans a whole environment of so many credentials and as many policies, on
// a token in memory and without a CLI. Twice as many should take twice as long.
//
//   - new: nothing is there yet;
//   - refresh: everything is there, and nothing changes;
//   - change: everything is there, and every policy gets another action.
func BenchmarkPlan(b *testing.B) {
	for _, kind := range []string{"named", "groups"} {
		for _, size := range []int{100, 200, 400} {
			config := benchmarkConfig(b, kind, size)
			for name, run := range map[string]func(*testing.B, []piece){"new": planNew, "refresh": planRefresh, "change": planChange} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, kind, size), func(b *testing.B) { run(b, config) })
			}
		}
	}
}

// benchmarkConfig is one key, and credentials with a policy for each: by name, or by an
// owner that ten of them have.
func benchmarkConfig(b *testing.B, kind string, size int) []piece {
	b.Helper()
	public := newPair(b).ssh
	all := []piece{{"hsm_key", values{"name": "orders", "algorithm": "EC_P256", "tags": values{"desk": "spot"}}}}
	for i := range size {
		all = append(all, piece{"hsm_api_credential", with(adaConfig(public), "name", fmt.Sprintf("bot-%d", i), "owner", fmt.Sprintf("team-%d", i/10))})
	}
	for i := range size {
		who := fmt.Sprintf("bot-%d", i)
		if kind == "groups" {
			who = fmt.Sprintf("owner:team-%d", i/10)
		}
		all = append(all, piece{"hsm_access_policy", with(policyOf(statement("principals", []any{who})), "name", fmt.Sprintf("policy-%d", i))})
	}
	return all
}

func planNew(b *testing.B, config []piece) {
	for b.Loop() {
		s := serveMemory(b, lifecycletest.New(newYear))
		for _, p := range config {
			noErrors(b, s.plan(b, p.resource, nil, p.config).diagnostics)
		}
	}
}

func planRefresh(b *testing.B, config []piece) {
	m, on, states := benchmarkApply(b, config)
	for b.Loop() {
		s := serveShelves(b, m, on)
		for i, p := range config {
			noErrors(b, s.plan(b, p.resource, s.refresh(b, p.resource, states[i]).state, p.config).diagnostics)
		}
	}
}

func planChange(b *testing.B, config []piece) {
	m, on, states := benchmarkApply(b, config)
	for b.Loop() {
		s := serveShelves(b, m, on)
		for i, p := range config {
			changed := p.config
			if p.resource == "hsm_access_policy" {
				first := p.config["statement"].([]any)[0].(values)
				changed = with(p.config, "statement", []any{with(first, "actions", []any{"sign", "verify"})})
			}
			noErrors(b, s.plan(b, p.resource, s.refresh(b, p.resource, states[i]).state, changed).diagnostics)
		}
	}
}

// benchmarkApply makes an environment.
func benchmarkApply(b *testing.B, config []piece) (*lifecycletest.Memory, *shelves, []applied) {
	b.Helper()
	m, on := lifecycletest.New(newYear), newShelves()
	return m, on, applyAll(b, serveShelves(b, m, on), config)
}

// applied is what Terraform keeps of a resource.
type applied struct {
	state   values
	private []byte
}

// applyAll makes what is configured.
func applyAll(tb testing.TB, s *server, config []piece) []applied {
	tb.Helper()
	var all []applied
	for _, p := range config {
		typ := s.resourceType(p.resource)
		planned := s.plan(tb, p.resource, nil, p.config)
		noErrors(tb, planned.diagnostics)
		resp, err := s.ApplyResourceChange(tb.Context(), &tfprotov6.ApplyResourceChangeRequest{
			TypeName: p.resource, PriorState: encode(tb, typ, nil), PlannedState: encode(tb, typ, planned.values), Config: encode(tb, typ, p.config),
		})
		if err != nil {
			tb.Fatal(err)
		}
		noErrors(tb, resp.Diagnostics)
		all = append(all, applied{decode(tb, typ, resp.NewState), resp.Private})
	}
	return all
}

func (s *server) refresh(tb testing.TB, resource string, it applied) applied {
	tb.Helper()
	typ := s.resourceType(resource)
	resp, err := s.ReadResource(tb.Context(), &tfprotov6.ReadResourceRequest{TypeName: resource, CurrentState: encode(tb, typ, it.state), Private: it.private})
	if err != nil {
		tb.Fatal(err)
	}
	noErrors(tb, resp.Diagnostics)
	return applied{decode(tb, typ, resp.NewState), resp.Private}
}

// BenchmarkApply makes an environment on a token in memory.
func BenchmarkApply(b *testing.B) {
	for _, kind := range []string{"named", "groups"} {
		for _, size := range []int{100, 200, 400} {
			config := benchmarkConfig(b, kind, size)
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				for b.Loop() {
					benchmarkApply(b, config)
				}
			})
		}
	}
}
