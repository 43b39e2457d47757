package catalogtest

import (
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// Policy is a body for [Suite]. It is both of statements and of Cedar text, which no
// policy is.
func Policy(name string, n int) *policy.Policy {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return &policy.Policy{
		Spec: policy.Spec{
			Name: name, Description: "because \u2028 of <this>", Tags: map[string]string{"k": "v"}, Enabled: true,
			Statements: []policy.Statement{{
				Effect: policy.Permit, Principals: []string{"bot"}, Actions: []string{string(policy.Sign)}, Keys: []string{fmt.Sprintf("key-%d", n)},
				Condition: &policy.Condition{
					SourceCIDRs: []string{"10.0.0.0/8"}, NotBefore: "2026-01-01T00:00:00Z", NotAfter: "2027-01-01T00:00:00Z",
					Hours:           &policy.Hours{From: "08:00", To: "18:00", TimeZone: "Europe/Zurich", Weekdays: []string{"monday"}},
					MaxPayloadBytes: new(int64(n)), Mechanisms: []string{"CKM_ECDSA"},
				},
			}},
			Cedar: "forbid (principal, action, resource);\n",
		},
		CreatedAt: at,
		Tombstone: &policy.Tombstone{At: at, Actor: "somebody"},
		Earlier:   []keyring.Transition{{At: at, What: "created", Actor: "somebody", Reason: "<&>"}},
	}
}

// SpoilPolicy is for [Suite].
func SpoilPolicy(p *policy.Policy) {
	p.Spec.Name, p.Spec.Tags["k"] = "spoilt", "spoilt"
	s := p.Spec.Statements[0]
	s.Principals[0], s.Actions[0], s.Keys[0] = "spoilt", "spoilt", "spoilt"
	c := s.Condition
	c.SourceCIDRs[0], c.Mechanisms[0], c.Hours.Weekdays[0], c.NotBefore = "spoilt", "spoilt", "spoilt", "spoilt"
	*c.MaxPayloadBytes = -1
	p.Tombstone.Actor, p.Earlier[0].Reason = "spoilt", "spoilt"
}
