package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// reportFinding shows what is to be said of a policy, at the argument that it is about:
// a mistake as an error, a caution as a warning.
func reportFinding(diags *diag.Diagnostics, name string, f policy.Finding) {
	at := pathOf(f.At)
	if f.Severity == policy.Mistake {
		report(diags, &fault.Error{Kind: fault.Invalid, Op: "use access policy", Problem: f.Problem, Hint: f.Hint}, at...)
		return
	}
	// Terraform shows of several warnings with the same summary only one.
	summary, detail := fmt.Sprintf("Access policy %q, %s: %s", name, f.About, f.Title), f.Problem
	if f.Hint != "" {
		detail += "\n\n" + f.Hint
	}
	if len(at) == 0 {
		diags.AddWarning(summary, detail)
		return
	}
	diags.AddAttributeWarning(at[0], summary, detail)
}

// pathOf is the attribute that a place in a policy is written in, none for the whole
// block. Elements of sets have no place in a configuration of their own.
func pathOf(at policy.Place) []path.Path {
	fields := strings.Split(at.Field, ".")
	if at.Field == "" {
		fields = nil
	}
	if at.Statement < 0 {
		if len(fields) == 0 {
			return nil
		}
		return []path.Path{path.Root(fields[0])}
	}
	p := path.Root("statement").AtListIndex(at.Statement)
	for _, field := range fields {
		p = p.AtName(field)
	}
	return []path.Path{p}
}

// isSettledAt reports whether everything is known, and given, that a finding about a
// place can depend on. What is missing, or null, the schema has said already.
func (m accessPolicyModel) isSettledAt(at policy.Place) bool {
	if at.Statement < 0 {
		return isKnown(m.Statements, m.Cedar)
	}
	value := m.Statements.Elements()[at.Statement]
	if at.Field != "" {
		for field := range strings.SplitSeq(at.Field, ".") {
			object, ok := value.(types.Object)
			if !ok || object.IsNull() || object.IsUnknown() {
				break
			}
			value = object.Attributes()[field]
		}
	}
	if set, ok := value.(types.Set); ok {
		if at.Element != "" && slices.Contains(knownStrings(set), at.Element) {
			return true
		}
		return isKnown(set) && !slices.ContainsFunc(set.Elements(), attr.Value.IsNull)
	}
	return isKnown(value) && !value.IsNull()
}
