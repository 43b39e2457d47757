package policy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// requests are some of each kind: who can, who cannot, and who is not there, with all
// known and with nothing known.
func requests() []policy.Request {
	contexts := []policy.Context{
		{PayloadBytes: -1},
		{Time: noon, PayloadBytes: 5, SourceIP: netip.MustParseAddr("10.1.2.3"), Mechanism: "CKM_ECDSA"},
		{Time: noon.Add(14 * time.Hour), PayloadBytes: 5000, SourceIP: netip.MustParseAddr("2001:db8::1"), Mechanism: "CKM_AES_GCM"},
	}
	var all []policy.Request
	for _, p := range []string{"bot", "alice", "nobody"} {
		for _, k := range []string{"orders", "vault", "webhooks"} {
			for _, a := range []policy.Action{policy.Sign, policy.SignDigest, policy.Encrypt, policy.MAC, policy.GetPublicKey} {
				for _, c := range contexts {
					all = append(all, policy.Request{Environment: "prod", Principal: p, Action: a, Key: k, Context: c})
				}
			}
		}
	}
	return all
}

// wantFindingsWhole holds what is found to what a person needs to know.
func wantFindingsWhole(t *testing.T, findings []policy.Finding) {
	t.Helper()
	for _, f := range findings {
		if f.Problem == "" || strings.Contains(f.Problem, "This is a bug") {
			t.Errorf("found %+v", f)
		}
	}
}

// mistakes are the findings with which a policy cannot be used.
func mistakes(findings []policy.Finding) []policy.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f policy.Finding) bool { return f.Severity != policy.Mistake })
}

// FuzzCompile: any text is compiled, and kept as it is, or has mistakes; what is allowed
// by it is granted by it.
func FuzzCompile(f *testing.F) {
	for _, s := range sayings {
		f.Add(s.cedar)
	}
	asked := requests()
	f.Fuzz(func(t *testing.T, text string) {
		spec := policy.Spec{Name: "p", Enabled: true, Cedar: text}
		got, wrong := policy.Compile(spec)
		if (len(wrong) > 0) == (got != "") || got != "" && got != text {
			t.Fatalf("%q with %+v", got, wrong)
		}
		wantFindingsWhole(t, wrong)
		found := policy.Check(spec, tradingDesk(), nil, noon)
		wantFindingsWhole(t, found)
		if len(wrong) > 0 {
			if len(mistakes(found)) == 0 {
				t.Errorf("%q has mistakes, and a check finds none: %+v", text, wrong)
			}
			return
		}
		e := engine(t, tradingDesk(), written("p", text))
		granted := e.Grants(noon)
		for _, r := range asked {
			isGranted := slices.ContainsFunc(granted, func(g policy.Grant) bool { return g.Principal == r.Principal && g.Action == r.Action && g.Key == r.Key })
			if d := e.Decide(r); d.Allowed && !isGranted || len(d.Reasons) == 0 {
				t.Errorf("%q: %+v: %+v, granted: %v", text, r, d, isGranted)
			}
		}
		principals, keys := policy.Names(spec)
		if !slices.IsSorted(principals) || !slices.IsSorted(keys) {
			t.Errorf("%q names %q, %q", text, principals, keys)
		}
	})
}

// FuzzStatement: a statement that has no mistakes comes out as Cedar that has none, that
// stays as it is, and that decides as the oracle says of the statement. Lists are written
// with bars between.
func FuzzStatement(f *testing.F) {
	asked := requests()
	f.Fuzz(func(t *testing.T, effect, principals, actions, keys, cidrs, notBefore, notAfter, from, to, zone, weekdays, mechanisms string, payload int64, parts uint8) {
		list := func(text string) []string {
			if text == "" {
				return nil
			}
			return strings.Split(text, "|")
		}
		s := policy.Statement{Effect: policy.Effect(effect), Principals: list(principals), Actions: list(actions), Keys: list(keys)}
		if parts&1 != 0 {
			s.Condition = &policy.Condition{SourceCIDRs: list(cidrs), NotBefore: notBefore, NotAfter: notAfter, Mechanisms: list(mechanisms)}
			if parts&2 != 0 {
				s.Condition.Hours = &policy.Hours{From: from, To: to, TimeZone: zone, Weekdays: list(weekdays)}
			}
			if parts&4 != 0 {
				s.Condition.MaxPayloadBytes = &payload
			}
		}
		for _, text := range []string{effect, principals, actions, keys, cidrs, notBefore, notAfter, from, to, zone, weekdays, mechanisms} {
			if !utf8.ValidString(text) { // nor is there any in a configuration or a record
				return
			}
		}
		p := enabled("p", s)
		cedar, wrong := policy.Compile(p.Spec)
		if (len(wrong) > 0) == (cedar != "") {
			t.Fatalf("%+v: %q with %+v", s, cedar, wrong)
		}
		wantFindingsWhole(t, wrong)
		found := policy.Check(p.Spec, tradingDesk(), nil, noon)
		wantFindingsWhole(t, found)
		if len(wrong) > 0 {
			if len(mistakes(found)) == 0 {
				t.Errorf("%+v has mistakes, and a check finds none: %+v", s, wrong)
			}
			return
		}
		again, wrong := policy.Compile(policy.Spec{Name: "p", Enabled: true, Cedar: cedar})
		if again != cedar || len(wrong) > 0 {
			t.Fatalf("%+v: %s\ncomes out as %q with %+v", s, cedar, again, wrong)
		}
		stated, textual := engine(t, tradingDesk(), p), engine(t, tradingDesk(), written("p", cedar))
		o := oracle{tradingDesk(), []*policy.Policy{p}}
		for _, r := range asked {
			want := o.allows(r)
			if one, other := stated.Decide(r), textual.Decide(r); one.Allowed != want || other.Allowed != want {
				t.Errorf("%+v: %+v\nis %v by the statement, %v by its Cedar, and %v by what it says:\n%s", s, r, one, other, want, cedar)
			}
		}
		whom, which := policy.Names(p.Spec)
		whomToo, whichToo := policy.Names(policy.Spec{Name: "p", Cedar: cedar})
		if !slices.Equal(whom, whomToo) || !slices.Equal(which, whichToo) {
			t.Errorf("%+v names %q and %q, its Cedar %q and %q", s, whom, which, whomToo, whichToo)
		}
	})
}
