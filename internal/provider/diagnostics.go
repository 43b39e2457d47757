package provider

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// report is the one translation from faults to what Terraform shows. With a path
// the diagnostic points at that attribute.
func report(diags *diag.Diagnostics, err error, at ...path.Path) {
	if err == nil {
		return
	}
	summary, detail := Explain(err)
	if len(at) > 0 {
		diags.AddAttributeError(at[0], summary, detail)
		return
	}
	diags.AddError(summary, detail)
}

// gone tells why something leaves the state: a plan that makes it anew would
// otherwise come without a reason.
func gone(diags *diag.Diagnostics, err error) {
	_, detail := Explain(err)
	diags.AddWarning("No longer on the token", detail+"\n\nIt is taken out of the state, and the plan makes it anew if the configuration still declares it.")
}

// Explain puts an error into the words of a diagnostic: a summary, and a detail
// that says what went wrong, what to do about it and, last and in brackets, the
// PKCS#11 function and code.
func Explain(err error) (summary, detail string) {
	var a account
	a.read(err)

	summary = "Cannot carry out the operation"
	var f *fault.Error
	if errors.As(err, &f) && f.Op != "" {
		summary = "Cannot " + f.Op
		if f.Kind != fault.Internal && f.Kind != fault.Invalid {
			summary += ": " + f.Kind.String()
		}
	}
	paragraphs := []string{strings.Join(a.problems, "\n")}
	if len(a.hints) > 0 {
		paragraphs = append(paragraphs, strings.Join(a.hints, "\n"))
	}
	if len(a.codes) > 0 {
		paragraphs = append(paragraphs, "["+strings.Join(a.codes, "; ")+"]")
	}
	return summary, strings.Join(paragraphs, "\n\n")
}

// account is what a chain of errors has to say, the outermost first.
type account struct{ problems, hints, codes []string }

func (a *account) read(err error) {
	switch e := err.(type) {
	case nil:
	case *fault.Error:
		a.add(&a.problems, problem(e))
		a.add(&a.hints, e.Hint)
		a.add(&a.codes, e.Code)
		a.read(e.Cause)
	case interface{ Unwrap() []error }: // errors.Join
		for _, each := range e.Unwrap() {
			a.read(each)
		}
	default:
		a.wrapped(err)
	}
}

// wrapped takes an error that is no fault. If there is a fault inside, that has
// been put into words already by whoever made it; the wrapping adds nothing that
// a user needs.
func (a *account) wrapped(err error) {
	var inner *fault.Error
	if errors.As(err, &inner) {
		a.read(inner)
		return
	}
	a.add(&a.problems, sentence(err.Error()))
}

func (a *account) add(list *[]string, text string) {
	if text != "" && !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

func problem(f *fault.Error) string {
	text := f.Problem
	if text == "" {
		text = sentence(f.Kind.String())
	}
	if f.Subject == "" {
		return text
	}
	return capital(f.Subject) + ": " + text
}

func sentence(text string) string {
	text = capital(strings.TrimSpace(text))
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// capital capitalises a first letter that stands in a word. "gRPC" and "hsm_key"
// keep theirs: they are names.
func capital(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if word == "" || word != strings.ToLower(word) || strings.ContainsAny(word, "_./:") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
