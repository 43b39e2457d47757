package provider_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
)

// piece is one resource of a configuration.
type piece struct {
	resource string
	config   values
}

func (p piece) name() string { return p.config["name"].(string) }

// newcomer is a credential of somebody.
func newcomer(t *testing.T, name, owner string) piece {
	t.Helper()
	return piece{"hsm_api_credential", with(adaConfig(newPair(t).ssh), "name", name, "owner", owner)}
}

// accessTold gathers what plans tell of access: "+ bot: sign with orders", by warnings and
// by what they know of effective_access.
type accessTold map[string]int

var changePattern = regexp.MustCompile(`(?m)^  ([+-] .*)$`)

func (a accessTold) add(t *testing.T, p plan) {
	t.Helper()
	noErrors(t, p.diagnostics)
	for _, d := range p.diagnostics {
		for _, line := range changePattern.FindAllStringSubmatch(d.Detail, -1) {
			a[line[1]]++
		}
	}
	if all, ok := p.values["effective_access"].([]any); ok && p.prior == nil {
		for _, each := range all {
			g := each.(values)
			a[fmt.Sprintf("+ %s: %s with %s", g["principal"], g["action"], g["key"])]++
		}
	}
}

func (a accessTold) list() []string { return slices.Sorted(maps.Keys(a)) }

// permutations lists the pieces in every order.
func permutations(pieces []piece) [][]piece {
	if len(pieces) <= 1 {
		return [][]piece{pieces}
	}
	var all [][]piece
	for i := range pieces {
		rest := slices.Delete(slices.Clone(pieces), i, i+1)
		for _, order := range permutations(rest) {
			all = append(all, append([]piece{pieces[i]}, order...))
		}
	}
	return all
}

// Terraform plans what does not refer to each other in any order. Whichever it is, the
// plan tells all the access that arises, and each of it once.
func TestPlanTellsArisingAccessInAnyOrder(t *testing.T) {
	team := piece{"hsm_access_policy", with(policyOf(statement("principals", []any{"owner:team"}, "keys", []any{"tag:desk=spot"})), "name", "team")}
	everybody := piece{"hsm_access_policy", with(policyOf(statement("principals", []any{"any"}, "actions", []any{"verify"}, "keys", []any{"any"})), "name", "everybody")}
	inCedar := piece{"hsm_access_policy", with(cedarText(`permit (principal, action == Action::"get_public_key", resource) when { principal.owner == "team" };`), "name", "cedar")}
	rails := piece{"hsm_access_policy", with(policyOf(statement("effect", "forbid", "principals", []any{"any"}, "actions", []any{"get_public_key"}, "keys", []any{"tag:desk=cold"})), "name", "rails")}
	pieces := []piece{
		newcomer(t, "ben", "team"), {"hsm_key", values{"name": "spot", "algorithm": "EC_P256", "tags": values{"desk": "spot"}}},
		{"hsm_key", values{"name": "cold", "algorithm": "EC_P256", "tags": values{"desk": "cold"}}}, team, everybody, inCedar, rails,
	}
	want := []string{"+ ben: get_public_key with spot", "+ ben: sign with spot", "+ ben: verify with cold", "+ ben: verify with spot"}
	for i, order := range permutations(pieces) {
		if i%37 != 0 { // there are thousands
			continue
		}
		s := serveMemory(t, lifecycletest.New(newYear))
		told := accessTold{}
		var names []string
		for _, p := range order {
			planned := s.plan(t, p.resource, nil, p.config)
			told.add(t, planned)
			names = append(names, p.name())
			if p.resource == "hsm_access_policy" && p.name() != "rails" && planned.values["effective_access"] != any(unknown) {
				t.Errorf("%v: effective_access of %s is planned as %v", names, p.name(), planned.values["effective_access"])
			}
		}
		lost := slices.DeleteFunc(told.list(), func(line string) bool { return strings.HasPrefix(line, "+") })
		gained := slices.DeleteFunc(told.list(), func(line string) bool {
			return strings.HasPrefix(line, "-") || slices.Contains(lost, "-"+line[1:])
		})
		if !slices.Equal(gained, want) {
			t.Errorf("%v: told %v, want %v", names, told.list(), want)
		}
		for _, line := range want {
			if told[line] != 1 {
				t.Errorf("%v: told %d times: %s", names, told[line], line)
			}
		}
	}
}

// A policy that is new and speaks of groups, beside a credential that joins one of them.
func TestPlanTellsWhatANewPolicyGivesANewCredential(t *testing.T) {
	dan := newcomer(t, "dan", "team")
	digests := piece{"hsm_access_policy", with(policyOf(statement("principals", []any{"owner:team"}, "actions", []any{"sign_digest"})), "name", "digests")}
	for name, order := range map[string][]piece{"credential first": {dan, digests}, "policy first": {digests, dan}} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.caller(credential.Spec{Name: "cyd", Owner: "team"})
			d.policies(t).apply(policyOf(statement("principals", []any{"owner:team"}, "actions", []any{"sign", "verify"})))
			s := d.serve(t)
			told := accessTold{}
			planned := map[string]plan{}
			for _, p := range order {
				planned[p.name()] = s.plan(t, p.resource, nil, p.config)
				told.add(t, planned[p.name()])
			}
			want := []string{"+ cyd: sign_digest with orders", "+ dan: sign with orders", "+ dan: sign_digest with orders", "+ dan: verify with orders"}
			if !slices.Equal(told.list(), want) {
				t.Errorf("told %v, want %v", told.list(), want)
			}
			wantGrants(t, "planned", planned["digests"].values, "unknown")

			// Applied one after the other, as with depends_on, the state is right at once.
			s = d.serve(t)
			for _, p := range []piece{dan, digests} {
				c := &core{server: s, t: t, resource: p.resource}
				c.state = c.change(nil, c.plan(t, c.resource, nil, p.config).values, p.config)
				if p.name() == "digests" {
					wantGrants(t, "applied", c.state, "cyd sign_digest orders", "dan sign_digest orders")
					c.server = d.serve(t)
					c.settled(p.config)
				}
			}
		})
	}
}

// What is known at plan does not depend on what else has been planned: the process that
// applies plans in another order.
func TestWhatIsForeseenDoesNotDependOnTheOrder(t *testing.T) {
	update := policyOf(statement("principals", []any{"owner:ada"}, "actions", []any{"sign", "verify"}, "keys", []any{"tag:desk=spot"}))
	for name, test := range map[string]struct {
		config values
		isNew  bool
		want   []string
	}{
		"named":                  {policyOf(statement("principals", []any{"ada"})), true, []string{"ada sign orders"}},
		"named in Cedar":         {cedarText(`permit (principal == Credential::"ada", action == Action::"sign", resource == Key::"orders");`), true, []string{"ada sign orders"}},
		"new with an owner":      {update, true, []string{"unknown"}},
		"new with a key's tag":   {policyOf(statement("keys", []any{"tag:desk=spot"})), true, []string{"unknown"}},
		"new with any":           {policyOf(statement("principals", []any{"any"})), true, []string{"unknown"}},
		"new, a condition":       {cedarText(`permit (principal, action == Action::"sign", resource == Key::"orders") when { principal.owner == "ada" };`), true, []string{"unknown"}},
		"new and disabled":       {with(update, "enabled", false), true, []string{}},
		"new, forbids to groups": {policyOf(statement("effect", "forbid", "principals", []any{"any"})), true, []string{}},
		"changed":                {update, false, []string{"ada sign orders", "ada verify orders"}},
		"changed to nobody's":    {policyOf(statement("principals", []any{"owner:team"})), false, []string{"unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			var prior values
			if !test.isNew {
				c := d.policies(t)
				c.apply(policyOf(statement("principals", []any{"owner:ada"})))
				prior = c.state
			}
			alone := d.serve(t).plan(t, "hsm_access_policy", prior, test.config)
			wantGrants(t, "alone", alone.values, test.want...)
			s := d.serve(t)
			for _, p := range []piece{newcomer(t, "dan", "team"), newcomer(t, "eve", "ada"), {"hsm_key", values{"name": "new", "algorithm": "EC_P256", "tags": values{"desk": "spot"}}}} {
				noErrors(t, s.plan(t, p.resource, nil, p.config).diagnostics)
			}
			wantGrants(t, "beside others", s.plan(t, "hsm_access_policy", prior, test.config).values, test.want...)
		})
	}
}

// A group that something planned so far belongs to stands for that.
func TestPlanDoesNotSayThatAGroupIsEmptyWhenItWillNotBe(t *testing.T) {
	s := newDesk(t).serve(t)
	config := policyOf(statement("principals", []any{"owner:team"}))
	before := s.plan(t, "hsm_access_policy", nil, config)
	wantDiagnostic(t, before.diagnostics, "principals", "WARNING", `no credential has the owner "team" now`)
	noErrors(t, s.plan(t, "hsm_api_credential", nil, newcomer(t, "dan", "team").config).diagnostics)
	if after := s.plan(t, "hsm_access_policy", nil, config); strings.Contains(showAll(after.diagnostics), "stands for nothing") {
		t.Error(showAll(after.diagnostics))
	}
}

// The CLI shows of warnings with one summary only the first.
func TestEveryWarningHasASummaryOfItsOwn(t *testing.T) {
	d := newDesk(t)
	d.caller(credential.Spec{Name: "bob", Owner: "team"})
	d.caller(credential.Spec{Name: "cyd", Owner: "team"})
	d.policies(t).apply(policyOf(statement("principals", []any{"owner:team"}, "actions", []any{"sign", "verify"})))
	s := d.serve(t)
	var all []*tfprotov6.Diagnostic
	for _, name := range []string{"bob", "cyd"} {
		p := s.plan(t, "hsm_api_credential", imported(t, s, "hsm_api_credential", name), nil)
		wantDiagnostic(t, p.diagnostics, wholeBlock, fmt.Sprintf("Access is taken away: API credential %q", name), "- "+name+": sign with orders", "- "+name+": verify with orders")
		all = append(all, p.diagnostics...)
	}
	all = append(all, s.plan(t, "hsm_access_policy", nil, with(cedarText(`
		permit (principal, action in [Action::"sign", Action::"sign_digest"], resource);
		permit (principal, action, resource in Tag::"desk=otc");`), "name", "wide")).diagnostics...)
	all = append(all, s.plan(t, "hsm_access_policy", nil, with(policyOf(
		statement("principals", []any{"owner:a", "owner:b"}, "actions", []any{"encrypt", "mac"}),
		statement("principals", []any{"any"}, "keys", []any{"any"}),
	), "name", "wider")).diagnostics...)
	seen := map[string]bool{}
	for _, diagnostic := range all {
		if seen[diagnostic.Summary] {
			t.Errorf("more than once: %s", diagnostic.Summary)
		}
		seen[diagnostic.Summary] = true
	}
	if len(seen) < 14 {
		t.Errorf("only %d warnings: %s", len(seen), showAll(all))
	}
}

// imported is the state of something that there is.
func imported(t *testing.T, s *server, resource, id string) values {
	t.Helper()
	resp, err := s.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: resource, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	noErrors(t, resp.Diagnostics)
	return decode(t, s.resourceType(resource), resp.ImportedResources[0].State)
}

// A name that is in use: the plan says so, and nothing of access that would change.
func TestPlanOfANameInUse(t *testing.T) {
	d := newDesk(t)
	d.policies(t).apply(policyOf(statement("principals", []any{"owner:spot-desk"})))
	for _, p := range []piece{
		newcomer(t, "bot", "somebody"),
		{"hsm_access_policy", policyOf(statement("principals", []any{"ada"}))},
		{"hsm_key", values{"name": "orders", "algorithm": "AES_256"}},
	} {
		planned := d.serve(t).plan(t, p.resource, nil, p.config)
		noErrors(t, planned.diagnostics)
		wantDiagnostic(t, planned.diagnostics, wholeBlock, "WARNING", "exists already", "to = "+p.resource+".", fmt.Sprintf("id = %q", p.name()))
		if strings.Contains(showAll(planned.diagnostics), "Access is") {
			t.Errorf("%s: %s", p.name(), showAll(planned.diagnostics))
		}
	}
}

// Something that is replaced by another one of its name is not in its way.
func TestPlanOfAReplacementOfTheSameName(t *testing.T) {
	c := newCredential(t, with(adaConfig(newPair(t).ssh), "name", "bot"))
	c.restart(t)
	p := c.plan(t, c.resource, c.state, botConfig)
	if len(p.replace) != 1 {
		t.Fatalf("it is replaced because of %v", p.replace)
	}
	if again := c.plan(t, c.resource, nil, botConfig); len(again.diagnostics) > 0 {
		t.Errorf("while planning: %s", showAll(again.diagnostics))
	}
	c.restart(t) // the process that applies
	c.change(c.state, nil, nil)
	if again := c.plan(t, c.resource, nil, botConfig); len(again.diagnostics) > 0 {
		t.Errorf("while applying: %s", showAll(again.diagnostics))
	}
}

// The removal of a key that a policy names is refused at apply; the plan tells.
func TestPlanTellsThatANamedKeyStays(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	config := policyOf(statement(), statement("keys", []any{"archive"}, "actions", []any{"encrypt"}))
	c.apply(config)
	s := d.serve(t)
	orders := with(imported(t, s, "hsm_key", "orders"), "deletion_protection", false)
	wantDiagnostic(t, s.plan(t, "hsm_key", orders, nil).diagnostics, wholeBlock, "WARNING", `Policies name key "orders"`, `access policy "trading"`, "the apply refuses")

	s = d.serve(t)
	noErrors(t, s.plan(t, "hsm_access_policy", c.state, nil).diagnostics)
	if p := s.plan(t, "hsm_key", orders, nil); strings.Contains(showAll(p.diagnostics), "Policies name") {
		t.Errorf("the policy goes too: %s", showAll(p.diagnostics))
	}
}

// A policy that names somebody who is gone says so at each refresh: whoever gets the name
// gets the access.
func TestRefreshTellsOfNamesThatAreGone(t *testing.T) {
	d := newDesk(t)
	c := d.policies(t)
	config := policyOf(statement("principals", []any{"bot", "ada"}))
	c.apply(config)
	d.leave("bot")
	for range 2 {
		c.server, c.diagnostics = d.serve(t), nil
		c.refresh()
		wantDiagnostic(t, c.diagnostics, wholeBlock, "WARNING", `Access policy "trading" names what is not there`, `API credential "bot"`)
		if strings.Contains(showAll(c.diagnostics), `"ada"`) {
			t.Error(showAll(c.diagnostics))
		}
	}
	d.caller(credential.Spec{Name: "bot", Owner: "mallory"})
	c.server, c.diagnostics = d.serve(t), nil
	c.refresh()
	if len(c.diagnostics) > 0 {
		t.Error(showAll(c.diagnostics))
	}
}
