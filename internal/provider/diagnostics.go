package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// report is the one translation from faults to what Terraform shows. With a path
// the diagnostic points at that attribute.
func report(diags *diag.Diagnostics, err error, at ...path.Path) {
	if err == nil {
		return
	}
	summary, detail := explain(err)
	if len(at) > 0 {
		diags.Append(reportedAt{diag.NewAttributeErrorDiagnostic(at[0], summary, detail), err})
		return
	}
	diags.Append(reported{diag.NewErrorDiagnostic(summary, detail), err})
}

// reported and reportedAt are diagnostics that still know which error they tell of.
type (
	reported struct {
		diag.Diagnostic
		err error
	}
	reportedAt struct {
		diag.DiagnosticWithPath
		err error
	}
)

func (r reported) Equal(other diag.Diagnostic) bool {
	o, ok := other.(reported)
	return ok && r.Diagnostic.Equal(o.Diagnostic)
}

func (r reportedAt) Equal(other diag.Diagnostic) bool {
	o, ok := other.(reportedAt)
	return ok && r.DiagnosticWithPath.Equal(o.DiagnosticWithPath)
}

// refusal returns the error that a diagnostic tells of, if it is one that an auditor asks
// for: a guard stood in the way, a login failed, or what is there is not what was left there.
func refusal(d diag.Diagnostic) error {
	var err error
	switch d := d.(type) {
	case reported:
		err = d.err
	case reportedAt:
		err = d.err
	}
	if err == nil || !audit.Notable(err) {
		return nil
	}
	return err
}

// gone tells why something leaves the state: a plan that makes it anew would
// otherwise come without a reason.
func gone(diags *diag.Diagnostics, err error) {
	_, detail := explain(err)
	diags.AddWarning("No longer on the token", detail+"\n\nIt is taken out of the state, and the plan makes it anew if the configuration still declares it.")
}

// explain puts an error into the words of a diagnostic: a summary, and a detail
// that says what went wrong, what to do about it and, last and in brackets, the
// PKCS#11 function and code.
func explain(err error) (summary, detail string) {
	var a account
	a.read(err)

	summary = "Cannot carry out the operation"
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Op != "" {
		summary = "Cannot " + f.Op
		if f.Kind != fault.Internal && f.Kind != fault.Invalid {
			summary += ": " + f.Kind.String()
		}
	}
	if len(a.hints) == 0 && isBug(err) {
		a.hints = []string{"This is a bug in the provider: please report it, with what `terraform-provider-hsm version` prints."}
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

// isBug reports whether nothing that a user or a token did can explain an error.
func isBug(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == fault.Internal && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// account is what a chain of errors has to say, the outermost first.
type account struct{ problems, hints, codes []string }

// read takes in an error. What only wraps a fault adds nothing that a user needs:
// the fault was put into words by whoever made it.
func (a *account) read(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // errors.Join
		for _, each := range joined.Unwrap() {
			a.read(each)
		}
		return
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		a.add(&a.problems, sentence(err.Error()))
		return
	}
	a.add(&a.problems, problem(f))
	a.add(&a.hints, f.Hint)
	a.add(&a.codes, f.Code)
	a.read(f.Cause)
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
	switch {
	case f.Subject == "":
		return text
	case slices.Contains(arguments, f.Subject):
		return fmt.Sprintf("Provider argument %s: %s", f.Subject, text)
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
