package provider_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// server is a provider that is spoken to as Terraform does, without a CLI.
type server struct {
	tfprotov6.ProviderServer
	schema *tfprotov6.GetProviderSchemaResponse
}

// values are attributes by name: strings, bools, ints, []any, map[string]any, nil
// for null, or unknown.
type values = map[string]any

type unknownValue struct{}

func (unknownValue) String() string { return "(unknown)" }

var unknown = unknownValue{}

// newServer serves a provider that must not reach for a token.
func newServer(tb testing.TB) *server {
	tb.Helper()
	return newServerWith(tb, func(config.Settings) *provider.Services {
		tb.Error("the token was needed")
		return nil
	})
}

func newServerWith(tb testing.TB, open func(config.Settings) *provider.Services) *server {
	tb.Helper()
	s := &server{ProviderServer: providerserver.NewProtocol6(provider.New("test", open)())()}
	var err error
	if s.schema, err = s.GetProviderSchema(tb.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		tb.Fatal(err)
	}
	noErrors(tb, s.schema.Diagnostics)
	return s
}

func (s *server) resourceType(name string) tftypes.Type {
	return s.schema.ResourceSchemas[name].ValueType()
}

// encode makes an object of a type; attributes that are not given are null.
func encode(tb testing.TB, typ tftypes.Type, v values) *tfprotov6.DynamicValue {
	tb.Helper()
	value := tftypes.NewValue(typ, nil)
	if v != nil {
		value = tftype(tb, typ, v)
	}
	encoded, err := tfprotov6.NewDynamicValue(typ, value)
	if err != nil {
		tb.Fatal(err)
	}
	return &encoded
}

func tftype(tb testing.TB, typ tftypes.Type, v any) tftypes.Value {
	tb.Helper()
	if v == nil {
		return tftypes.NewValue(typ, nil)
	}
	if v == unknown {
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	given, _ := v.(values)
	list, _ := v.([]any)
	switch typ := typ.(type) {
	case tftypes.Object:
		elements := map[string]tftypes.Value{}
		for name, attribute := range typ.AttributeTypes {
			elements[name] = tftype(tb, attribute, given[name])
		}
		for name := range given {
			if _, ok := typ.AttributeTypes[name]; !ok {
				tb.Fatalf("there is no attribute %s", name)
			}
		}
		return tftypes.NewValue(typ, elements)
	case tftypes.Map:
		elements := map[string]tftypes.Value{}
		for name, element := range given {
			elements[name] = tftype(tb, typ.ElementType, element)
		}
		return tftypes.NewValue(typ, elements)
	case tftypes.List:
		return tftypes.NewValue(typ, each(tb, typ.ElementType, list))
	case tftypes.Set:
		return tftypes.NewValue(typ, each(tb, typ.ElementType, list))
	default:
		return tftypes.NewValue(typ, v)
	}
}

func each(tb testing.TB, typ tftypes.Type, list []any) []tftypes.Value {
	tb.Helper()
	result := []tftypes.Value{}
	for _, v := range list {
		result = append(result, tftype(tb, typ, v))
	}
	return result
}

// decode is the inverse of encode; numbers become int.
func decode(tb testing.TB, typ tftypes.Type, encoded *tfprotov6.DynamicValue) values {
	tb.Helper()
	value, err := encoded.Unmarshal(typ)
	if err != nil {
		tb.Fatal(err)
	}
	decoded, _ := plain(tb, value).(values)
	return decoded
}

func plain(tb testing.TB, v tftypes.Value) any {
	tb.Helper()
	switch {
	case !v.IsKnown():
		return unknown
	case v.IsNull():
		return nil
	}
	as := func(target any) {
		if err := v.As(target); err != nil {
			tb.Fatal(err)
		}
	}
	switch v.Type().(type) {
	case tftypes.Object, tftypes.Map:
		var elements map[string]tftypes.Value
		as(&elements)
		result := values{}
		for name, element := range elements {
			result[name] = plain(tb, element)
		}
		return result
	case tftypes.List, tftypes.Set:
		var elements []tftypes.Value
		as(&elements)
		result := []any{}
		for _, element := range elements {
			result = append(result, plain(tb, element))
		}
		if v.Type().Is(tftypes.Set{}) {
			slices.SortFunc(result, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		return result
	}
	switch {
	case v.Type().Is(tftypes.Bool):
		var b bool
		as(&b)
		return b
	case v.Type().Is(tftypes.Number):
		var n int
		if _, err := fmt.Sscan(strings.TrimPrefix(v.String(), "tftypes.Number"), &n); err != nil {
			if _, err := fmt.Sscanf(v.String(), "tftypes.Number<\"%d\">", &n); err != nil {
				tb.Fatalf("%s: %v", v, err)
			}
		}
		return n
	default:
		var s string
		as(&s)
		return s
	}
}

// plan is the answer to a planned change.
type plan struct {
	prior       values
	values      values
	replace     []string
	diagnostics []*tfprotov6.Diagnostic
}

// plan asks for the plan from a prior state (nil: creation) to a configuration
// (nil: destruction).
func (s *server) plan(tb testing.TB, resource string, prior, configuration values) plan {
	tb.Helper()
	typ := s.resourceType(resource)
	resp, err := s.PlanResourceChange(tb.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: resource, PriorState: encode(tb, typ, prior), Config: encode(tb, typ, configuration),
		ProposedNewState: encode(tb, typ, s.proposed(resource, prior, configuration)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	p := plan{prior: decode(tb, typ, encode(tb, typ, prior)), values: decode(tb, typ, resp.PlannedState), diagnostics: resp.Diagnostics}
	for _, path := range resp.RequiresReplace {
		p.replace = append(p.replace, strings.Trim(strings.TrimPrefix(path.String(), "AttributeName"), `()"`))
	}
	return p
}

// proposed merges as Terraform does: what is configured, and of the prior state
// what is computed and not configured.
func (s *server) proposed(resource string, prior, configuration values) values {
	if configuration == nil {
		return nil
	}
	merged := values{}
	for _, a := range s.schema.ResourceSchemas[resource].Block.Attributes {
		if v := configuration[a.Name]; v != nil {
			merged[a.Name] = v
		} else if a.Computed && prior != nil {
			merged[a.Name] = prior[a.Name]
		}
	}
	for _, b := range s.schema.ResourceSchemas[resource].Block.BlockTypes {
		merged[b.TypeName] = configuration[b.TypeName]
	}
	return merged
}

// changed lists the attributes that a plan changes, sorted.
func (p plan) changed() []string {
	var names []string
	for name, v := range p.values {
		if fmt.Sprint(v) != fmt.Sprint(p.prior[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func noErrors(tb testing.TB, diagnostics []*tfprotov6.Diagnostic) {
	tb.Helper()
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			tb.Errorf("%s", show(d))
		}
	}
}

// show writes a diagnostic as one text: severity, path, summary, detail.
func show(d *tfprotov6.Diagnostic) string {
	at := ""
	if d.Attribute != nil {
		at = " at " + d.Attribute.String()
	}
	return fmt.Sprintf("%s%s: %s\n%s", d.Severity, at, d.Summary, d.Detail)
}

func showAll(diagnostics []*tfprotov6.Diagnostic) string {
	var all []string
	for _, d := range diagnostics {
		all = append(all, show(d))
	}
	return strings.Join(all, "\n---\n")
}

// wholeBlock is for diagnostics at no attribute, which the CLI shows without a line
// that could have a PIN in it.
const wholeBlock = "(none)"

// wantDiagnostic fails unless one of the diagnostics is at the attribute, at any if
// that is empty, and says all the texts.
func wantDiagnostic(tb testing.TB, diagnostics []*tfprotov6.Diagnostic, attribute string, says ...string) {
	tb.Helper()
	for _, d := range diagnostics {
		text := show(d)
		if (attribute == "" || attribute == wholeBlock && d.Attribute == nil || d.Attribute != nil && strings.Contains(d.Attribute.String(), `"`+attribute+`"`)) &&
			!slices.ContainsFunc(says, func(s string) bool { return !strings.Contains(text, s) }) {
			return
		}
	}
	tb.Errorf("no diagnostic at %q says %q:\n%s", attribute, says, showAll(diagnostics))
}
