package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// fleet is an environment of desks, each with credentials and keys of its own.
func fleet(principals, keys, desks int) policy.World {
	w := policy.World{Environment: "prod"}
	for i := range principals {
		w.Principals = append(w.Principals, caller(fmt.Sprintf("bot-%03d", i), fmt.Sprintf("team-%d", i%7), "desk", fmt.Sprint(i%desks)))
	}
	for i := range keys {
		w.Keys = append(w.Keys, key(fmt.Sprintf("key-%03d", i), keyring.ECP256, "desk", fmt.Sprint(i%desks)))
	}
	return w
}

// deskPolicies are least-privilege policies: two statements each, for one desk or one
// credential, a tenth of them with conditions.
func deskPolicies(count, desks int) []*policy.Policy {
	var all []*policy.Policy
	for i := range count {
		desk := fmt.Sprintf("tag:desk=%d", i%desks)
		s := permit([]string{desk}, []string{"sign", "verify"}, []string{desk})
		if i%10 == 0 {
			s.Condition = &policy.Condition{
				SourceCIDRs: []string{"10.0.0.0/8"}, MaxPayloadBytes: new(int64(4096)),
				Hours: &policy.Hours{From: "00:00", To: "23:00", TimeZone: "Europe/Zurich"},
			}
		}
		all = append(all, enabled(fmt.Sprintf("desk-%d", i), s,
			permit([]string{fmt.Sprintf("bot-%03d", i%300)}, []string{"get_public_key"}, []string{fmt.Sprintf("key-%03d", i%300)})))
	}
	return all
}

func BenchmarkDecide(b *testing.B) {
	for _, policies := range []int{3, 100, 1000} {
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			e := engine(b, fleet(300, 300, 30), deskPolicies(policies, 30)...)
			r := policy.Request{
				Environment: "prod", Principal: "bot-030", Action: policy.Sign, Key: "key-060",
				Context: policy.Context{Time: noon, SourceIP: netip.MustParseAddr("10.1.2.3"), PayloadBytes: 32, Mechanism: "CKM_ECDSA"},
			}
			for b.Loop() {
				if d := e.Decide(r); !d.Allowed {
					b.Fatal(d)
				}
			}
		})
	}
	// The worst there is: every policy is about every request.
	for _, policies := range []int{3, 100, 1000} {
		b.Run(fmt.Sprintf("broad policies=%d", policies), func(b *testing.B) {
			var broad []*policy.Policy
			for i := range policies {
				broad = append(broad, enabled(fmt.Sprintf("p%d", i), permit([]string{"any"}, []string{"sign"}, []string{"any"})))
			}
			e := engine(b, fleet(300, 300, 30), broad...)
			r := policy.Request{Environment: "prod", Principal: "bot-030", Action: policy.Sign, Key: "key-060", Context: policy.Context{Time: noon, PayloadBytes: -1}}
			for b.Loop() {
				if d := e.Decide(r); !d.Allowed {
					b.Fatal(d)
				}
			}
		})
	}
}

func BenchmarkNewEngine(b *testing.B) {
	world, policies := fleet(300, 300, 30), deskPolicies(100, 30)
	for b.Loop() {
		engine(b, world, policies...)
	}
}

func BenchmarkGrants(b *testing.B) {
	three := []string{"sign", "verify", "get_public_key"}
	for name, p := range map[string]*policy.Policy{
		"unconditional": enabled("p", permit([]string{"any"}, three, []string{"any"})),
		"conditional":   enabled("p", policy.Statement{Effect: policy.Permit, Principals: []string{"any"}, Actions: three, Keys: []string{"any"}, Condition: &policy.Condition{MaxPayloadBytes: new(int64(1))}}),
		"cedar": written("p", `permit (principal, action in [Action::"sign", Action::"verify", Action::"get_public_key"], resource)
			when { principal.owner != resource.name && (context has payload_bytes || resource.extractable) };`),
	} {
		b.Run("300x300x3/"+name, func(b *testing.B) {
			e := engine(b, fleet(300, 300, 30), append(deskPolicies(100, 30), p)...)
			count := 0
			for b.Loop() {
				count = len(e.Grants(noon))
			}
			if count != 300*300*3 {
				b.Fatalf("%d grants", count)
			}
			b.ReportMetric(float64(count), "grants")
		})
	}
}
