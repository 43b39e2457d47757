package provider

import (
	"errors"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// arguments are the provider's arguments.
var arguments = []string{"uri", "module_path", "module_parameters", "token_label", "token_serial", "slot_id", "pin", "environment", "actor", "max_sessions", "concurrent_calls", "audit"}

// secretArguments may have a PIN in them. A diagnostic at such an argument would
// have the CLI quote its line of the configuration: theirs are about the whole block.
var secretArguments = []string{"uri", "pin"}

// reportConfiguration translates what is wrong with the provider block: one
// diagnostic for each thing, at the argument that its subject names.
func reportConfiguration(diags *diag.Diagnostics, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			reportConfiguration(diags, each)
		}
		return
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !slices.Contains(arguments, f.Subject) || slices.Contains(secretArguments, f.Subject) {
		report(diags, err)
		return
	}
	about := *f
	about.Subject = "" // the path says it
	report(diags, &about, path.Root(f.Subject))
}
