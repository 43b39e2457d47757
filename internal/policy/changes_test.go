package policy_test

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// TestUpdateIsTold: the history tells under which conditions a policy gives access, and from
// what to what they are changed: the access itself stays the same.
func TestUpdateIsTold(t *testing.T) {
	large := int64(4096)
	for name, tc := range map[string]struct {
		change func(s *policy.Spec)
		want   string
	}{
		"nothing":      {func(*policy.Spec) {}, ""},
		"networks":     {func(s *policy.Spec) { s.Statements[0].Condition.SourceCIDRs = []string{"0.0.0.0/0"} }, "statement 1 source_cidrs +0.0.0.0/0 −10.0.0.0/8"},
		"no condition": {func(s *policy.Spec) { s.Statements[0].Condition = nil }, `statement 1 source_cidrs −10.0.0.0/8, statement 1 hours "08:00-18:00 UTC" → none, statement 1 weekdays −monday`},
		"times": {
			func(s *policy.Spec) {
				s.Statements[0].Condition.Hours, s.Statements[0].Condition.NotAfter, s.Statements[0].Condition.MaxPayloadBytes = &policy.Hours{From: "08:00", To: "24:00", TimeZone: "UTC"}, "2027-01-01T00:00:00Z", &large
			},
			`statement 1 not_after none → 2027-01-01T00:00:00Z, statement 1 hours "08:00-18:00 UTC" → "08:00-24:00 UTC", statement 1 weekdays −monday, statement 1 max_payload_bytes none → 4096`,
		},
		"Cedar": {func(s *policy.Spec) { s.Statements, s.Cedar = nil, "permit (principal, action, resource);" }, "statements 1 → 0, cedar"},
		"tags":  {func(s *policy.Spec) { s.Description, s.Tags = "x", map[string]string{"env": "y"} }, "tags +env, description"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace()
			s := p.service("prod")
			spec := func() policy.Spec {
				return policy.Spec{Name: "p", Enabled: true, Statements: []policy.Statement{under(policy.Condition{
					SourceCIDRs: []string{"10.0.0.0/8"}, Hours: &policy.Hours{From: "08:00", To: "18:00", TimeZone: "UTC", Weekdays: []string{"monday"}},
				}, permit(one("bot"), one("sign"), one("orders")))}}
			}
			if _, err := s.Create(t.Context(), spec()); err != nil {
				t.Fatal(err)
			}
			is := spec()
			tc.change(&is)
			updated, err := s.Update(t.Context(), is)
			if err != nil {
				t.Fatal(err)
			}
			all := updated.Chain.All()
			if last := all[len(all)-1]; last.What != "updated" || last.Reason != tc.want {
				t.Errorf("%s %q\nwant %q", last.What, last.Reason, tc.want)
			}
		})
	}
}
