package performance_test

import "fmt"

// floor is a kind of resource that does nothing, to compare with.
type floor struct {
	provider, typ string
	argument      string // that holds a name
	require       string // how the provider is found
	attributes    func(i int) any
}

// builtIn is in the CLI itself: no process, no protocol, no schema to speak of.
var builtIn = floor{
	provider: `provider["terraform.io/builtin/terraform"]`, typ: "terraform_data", argument: "input",
	attributes: func(i int) any {
		input := map[string]string{"value": fmt.Sprintf("key-%d", i), "type": "string"}
		return map[string]any{"id": fmt.Sprintf("00000000-0000-4000-8000-%012x", i), "input": input, "output": input, "triggers_replace": nil}
	},
}

// plugin is in testdata/trivial, a provider like any other.
var plugin = floor{
	provider: `provider["registry.terraform.io/keystead/trivial"]`, typ: "trivial_thing", argument: "name",
	require: "terraform {\n  required_providers {\n    trivial = {\n      source = \"keystead/trivial\"\n    }\n  }\n}\n",
	attributes: func(i int) any {
		name := fmt.Sprintf("key-%d", i)
		return map[string]any{"id": name, "name": name}
	},
}

// configuration declares as many of them as the shape has resources.
func (f floor) configuration(s shape) string {
	text := f.require
	for i, name := range s.parts() {
		text += fmt.Sprintf("\nresource %q %q {\n  count = %d\n  %s = \"key-${count.index}\"\n", f.typ, name, s.keys, f.argument)
		if i > 0 {
			text += fmt.Sprintf("  depends_on = [%s.%s]\n", f.typ, s.parts()[i-1])
		}
		text += "}\n"
	}
	return text
}

// state is what an apply of that leaves.
func (f floor) state(s shape) string {
	var resources []resource
	for _, name := range s.parts() {
		r := resource{provider: f.provider, typ: f.typ, name: name}
		for i := range s.keys {
			r.instances = append(r.instances, f.attributes(i))
		}
		resources = append(resources, r)
	}
	return state(resources...)
}
