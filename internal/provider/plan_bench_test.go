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
			noErrors(b, s.plan(b, p.resource, s.refreshed(b, p.resource, states[i]), p.config).diagnostics)
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
			noErrors(b, s.plan(b, p.resource, s.refreshed(b, p.resource, states[i]), changed).diagnostics)
		}
	}
}

// benchmarkApply makes what is configured, and returns the states.
func benchmarkApply(b *testing.B, config []piece) (*lifecycletest.Memory, *shelves, []values) {
	b.Helper()
	m, on := lifecycletest.New(newYear), newShelves()
	s := serveShelves(b, m, on)
	var states []values
	for _, p := range config {
		typ := s.resourceType(p.resource)
		planned := s.plan(b, p.resource, nil, p.config)
		noErrors(b, planned.diagnostics)
		resp, err := s.ApplyResourceChange(b.Context(), &tfprotov6.ApplyResourceChangeRequest{
			TypeName: p.resource, PriorState: encode(b, typ, nil), PlannedState: encode(b, typ, planned.values), Config: encode(b, typ, p.config),
		})
		if err != nil {
			b.Fatal(err)
		}
		noErrors(b, resp.Diagnostics)
		states = append(states, decode(b, typ, resp.NewState))
	}
	return m, on, states
}

func (s *server) refreshed(b *testing.B, resource string, state values) values {
	b.Helper()
	typ := s.resourceType(resource)
	resp, err := s.ReadResource(b.Context(), &tfprotov6.ReadResourceRequest{TypeName: resource, CurrentState: encode(b, typ, state)})
	if err != nil {
		b.Fatal(err)
	}
	noErrors(b, resp.Diagnostics)
	return decode(b, typ, resp.NewState)
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
