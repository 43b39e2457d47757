package provider

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// grant is a policy.Grant as users compare them: whichever policies it comes from.
type grant struct {
	principal, action, key string
	conditional            bool
}

func (g grant) String() string {
	text := fmt.Sprintf("%s: %s with %s", g.principal, g.action, g.key)
	if g.conditional {
		text += " (under conditions)"
	}
	return text
}

// access is a set of grants.
type access map[grant]struct{}

func accessOf(grants []policy.Grant) access {
	set := access{}
	for _, g := range grants {
		set[grant{g.Principal, string(g.Action), g.Key, g.Conditional}] = struct{}{}
	}
	return set
}

// minus is what is in a and not in b.
func (a access) minus(b access) access {
	rest := access{}
	for g := range a {
		if _, also := b[g]; !also {
			rest[g] = struct{}{}
		}
	}
	return rest
}

// apartFrom is what is in a and about nothing that is in b, under conditions or not.
func (a access) apartFrom(b access) access {
	rest := maps.Clone(a)
	for g := range b {
		for _, conditional := range []bool{false, true} {
			g.conditional = conditional
			delete(rest, g)
		}
	}
	return rest
}

// changed is a after the change that leads from before to after.
func (a access) changed(before, after access) access {
	result := a.minus(before.minus(after))
	maps.Copy(result, after.minus(before))
	return result
}

// list returns the grants by principal, key and action.
func (a access) list() []grant {
	return slices.SortedFunc(maps.Keys(a), func(g, h grant) int {
		return cmp.Or(strings.Compare(g.principal, h.principal), strings.Compare(g.key, h.key), strings.Compare(g.action, h.action))
	})
}

// accessType is the type of one grant in effective_access.
func accessType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"principal": types.StringType, "action": types.StringType, "key": types.StringType, "conditional": types.BoolType,
	}}
}

// set shows the access as a plan and a state have it.
func (a access) set() types.Set {
	elements := make([]attr.Value, 0, len(a))
	for _, g := range a.list() {
		elements = append(elements, types.ObjectValueMust(accessType().AttrTypes, map[string]attr.Value{
			"principal": types.StringValue(g.principal), "action": types.StringValue(g.action), "key": types.StringValue(g.key),
			"conditional": types.BoolValue(g.conditional),
		}))
	}
	return types.SetValueMust(accessType(), elements)
}

// accessIn is the inverse of set.
func accessIn(ctx context.Context, set types.Set, diags *diag.Diagnostics) access {
	var grants []struct {
		Principal   string `tfsdk:"principal"`
		Action      string `tfsdk:"action"`
		Key         string `tfsdk:"key"`
		Conditional bool   `tfsdk:"conditional"`
	}
	diags.Append(set.ElementsAs(ctx, &grants, false)...)
	a := access{}
	for _, g := range grants {
		a[grant{g.Principal, g.Action, g.Key, g.Conditional}] = struct{}{}
	}
	return a
}
