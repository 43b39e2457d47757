package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// shown is how many lines of a list of grants a warning has.
const shown = 50

// warnShift tells what access a step of the plan gives and takes away, apart from what
// the plan shows about it elsewhere. Terraform shows of several warnings with the same
// summary only one, so what it is about is part of that.
func (c *client) warnShift(diags *diag.Diagnostics, subject thing, shift policy.Shift, elsewhere access) {
	before, after := accessOf(shift.Before).apartFrom(elsewhere), accessOf(shift.After).apartFrom(elsewhere)
	gained, lost := after.minus(before), before.minus(after)
	var lines []string
	for _, g := range gained.list() {
		lines = append(lines, "  + "+g.String())
	}
	for _, g := range lost.list() {
		lines = append(lines, "  - "+g.String())
	}
	if len(lines) == 0 {
		return
	}
	if len(lines) > shown {
		lines = append(lines[:shown], fmt.Sprintf("  and %d more", len(lines)-shown))
	}
	summary, what := "Access is given and taken away", "this becomes possible (+), and this is no longer (-)"
	switch {
	case len(lost) == 0:
		summary, what = "Access is given", "this becomes possible"
	case len(gained) == 0:
		summary, what = "Access is taken away", "this is no longer possible"
	}
	c.warnOnce(diags, summary+": "+subject.String(), fmt.Sprintf("With the change of %s, and what is planned beside it so far, %s:\n\n%s", subject, what, strings.Join(lines, "\n")))
}

// warnNamed tells that policies name a credential or a key that is to be removed.
func (c *client) warnNamed(diags *diag.Diagnostics, t thing, policies []string, consequence string) {
	if len(policies) == 0 {
		return
	}
	c.warnOnce(diags, fmt.Sprintf("Policies name %s", t), fmt.Sprintf("It is to be removed, and %s by name. %s", namedBy(policies), consequence))
}

// namedBy says which policies name something.
func namedBy(policies []string) string {
	list := make([]string, len(policies))
	for i, name := range slices.Sorted(slices.Values(policies)) {
		list[i] = fmt.Sprintf("%q", name)
	}
	if len(list) == 1 {
		return "access policy " + list[0] + " names it"
	}
	return "access policies " + strings.Join(list, ", ") + " name it"
}

// warnMissing tells which credentials and keys a recorded policy names that are no longer
// there: somebody may make others of these names.
func (c *client) warnMissing(diags *diag.Diagnostics, name string, outlook *policy.Outlook) {
	principals, keys := outlook.Missing(name)
	var missing []string
	for _, p := range principals {
		missing = append(missing, aCredential(p).String())
	}
	for _, k := range keys {
		missing = append(missing, aKey(k).String())
	}
	if len(missing) == 0 {
		return
	}
	c.warnOnce(diags, fmt.Sprintf("Access policy %q names what is not there", name),
		fmt.Sprintf("Access policy %q names what was removed: %s. Whoever makes something of such a name again gets the access that the policy has for it.\n\n"+
			"Take the name out of the policy.", name, strings.Join(missing, ", ")))
}
