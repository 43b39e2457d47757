package main_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	functions "github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
)

// TestRules keeps testdata/rules.txt complete: what every argument is held to before
// anything else looks at it. The framework's own rules say an error in words that are in
// no source of ours: "Attribute algorithm value must be one of: …". Those of ours, marked with
// an asterisk, have their words in testdata/diagnostics.txt. UPDATE=1 writes it.
func TestRules(t *testing.T) {
	r := rulesOf(t)
	text := strings.Join(r.lines[1:], "\n") + "\n"
	const file = "testdata/rules.txt"
	golden(t, file, text)
}

// ruleReader collects the rules of all schemas.
type ruleReader struct {
	t     *testing.T
	lines []string
}

func rulesOf(t *testing.T) *ruleReader {
	t.Helper()
	ctx, r := context.Background(), &ruleReader{t: t}
	construct, shut := assembly.Provider("test") // opens no module: nobody configures it
	t.Cleanup(shut)
	p := construct()

	var whole provider.SchemaResponse
	p.Schema(ctx, provider.SchemaRequest{}, &whole)
	r.section("provider", whole.Schema)
	for _, construct := range p.Resources(ctx) {
		var name resource.MetadataResponse
		var schema resource.SchemaResponse
		each := construct()
		each.Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "hsm"}, &name)
		each.Schema(ctx, resource.SchemaRequest{}, &schema)
		r.section("resource "+name.TypeName, schema.Schema)
		if _, ok := each.(resource.ResourceWithConfigValidators); ok {
			t.Errorf("resource %s has rules of a kind that is not listed here", name.TypeName)
		}
	}
	for _, construct := range p.DataSources(ctx) {
		var name datasource.MetadataResponse
		var schema datasource.SchemaResponse
		each := construct()
		each.Metadata(ctx, datasource.MetadataRequest{ProviderTypeName: "hsm"}, &name)
		each.Schema(ctx, datasource.SchemaRequest{}, &schema)
		r.section("data source "+name.TypeName, schema.Schema)
	}
	for _, construct := range p.(provider.ProviderWithEphemeralResources).EphemeralResources(ctx) {
		var name ephemeral.MetadataResponse
		var schema ephemeral.SchemaResponse
		each := construct()
		each.Metadata(ctx, ephemeral.MetadataRequest{ProviderTypeName: "hsm"}, &name)
		each.Schema(ctx, ephemeral.SchemaRequest{}, &schema)
		r.section("ephemeral resource "+name.TypeName, schema.Schema)
	}
	for _, construct := range p.(provider.ProviderWithListResources).ListResources(ctx) {
		var name resource.MetadataResponse
		var schema list.ListResourceSchemaResponse
		each := construct()
		each.Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "hsm"}, &name)
		each.ListResourceConfigSchema(ctx, list.ListResourceSchemaRequest{}, &schema)
		r.section("list resource "+name.TypeName, schema.Schema)
	}
	for _, construct := range p.(provider.ProviderWithActions).Actions(ctx) {
		var name action.MetadataResponse
		var schema action.SchemaResponse
		each := construct()
		each.Metadata(ctx, action.MetadataRequest{ProviderTypeName: "hsm"}, &name)
		each.Schema(ctx, action.SchemaRequest{}, &schema)
		r.section("action "+name.TypeName, schema.Schema)
	}
	for _, construct := range p.(provider.ProviderWithFunctions).Functions(ctx) {
		var name functions.MetadataResponse
		var definition functions.DefinitionResponse
		each := construct()
		each.Metadata(ctx, functions.MetadataRequest{}, &name)
		each.Definition(ctx, functions.DefinitionRequest{}, &definition)
		r.section("function "+name.Name, definition.Definition)
	}
	return r
}

func (r *ruleReader) section(name string, schema any) {
	before := len(r.lines)
	r.lines = append(r.lines, "", "== "+name, "")
	empty := len(r.lines)
	r.walk("", reflect.ValueOf(schema))
	if len(r.lines) == empty {
		r.lines = r.lines[:before]
	}
}

// walk goes into all that has rules. The framework has types of its own for each kind of
// schema; their fields have the same names.
func (r *ruleReader) walk(at string, v reflect.Value) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	if rules := v.FieldByName("Validators"); rules.IsValid() {
		for i := range rules.Len() {
			r.rule(at, rules.Index(i).Interface())
		}
	}
	for _, field := range []string{"Attributes", "Blocks"} {
		if inner := v.FieldByName(field); inner.IsValid() {
			names := map[string]reflect.Value{}
			for _, key := range inner.MapKeys() {
				names[key.String()] = inner.MapIndex(key)
			}
			for _, name := range slices.Sorted(maps.Keys(names)) {
				r.walk(strings.TrimPrefix(at+"."+name, "."), names[name])
			}
		}
	}
	if inner := v.FieldByName("NestedObject"); inner.IsValid() {
		r.walk(at, inner)
	}
	if parameters := v.FieldByName("Parameters"); parameters.IsValid() {
		for i := range parameters.Len() {
			parameter := parameters.Index(i)
			r.walk(parameter.Elem().FieldByName("Name").String(), parameter)
		}
	}
}

// saysNoRemedy finds rules of the framework whose words tell only what is wrong: that
// something may be left out they do not know.
var saysNoRemedy = regexp.MustCompile(`length must be at least|must contain at least`)

func (r *ruleReader) rule(at string, rule any) {
	described, ok := rule.(interface {
		Description(ctx context.Context) string
	})
	if !ok {
		r.t.Errorf("the rule %T of %s has no description", rule, at)
		return
	}
	words, mark := described.Description(context.Background()), " "
	if strings.HasPrefix(reflect.TypeOf(rule).PkgPath(), module) {
		mark = "*"
	} else if saysNoRemedy.MatchString(words) {
		r.t.Errorf("%s: %q does not say what to do about it; notEmpty of internal/provider does", at, words)
	}
	r.lines = append(r.lines, fmt.Sprintf("%s %s: %s", mark, at, words))
}
