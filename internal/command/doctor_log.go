package command

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// log says whether there is an audit log that changes could be written down in, if one is
// configured. What the next change would be refused for is looked for by the code that refuses
// it; what only a verification finds keeps nothing from working.
func (r *report) log(ctx context.Context, token Token, s config.Settings, examine func(context.Context, config.Settings) (bool, error)) {
	if s.Audit.Directory == "" || r.failures > 0 {
		return
	}
	r.fact("audit log", s.Audit.Directory)
	r.exposed(s.Audit.Directory)
	want := audit.Expectation{Own: "key/" + keyring.AuditKeyName}
	stamp, err := token.Environment(ctx)
	want.Environment, s.Environment = stamp, cmp.Or(stamp, s.Environment)
	begun := false
	if err == nil {
		begun, err = examine(ctx, s)
	}
	if err == nil && !begun {
		r.ok("There is no audit log in its directory yet: the first change begins one.")
		return
	}
	var view *audit.View
	if err == nil {
		view, err = audit.OpenView(s.Audit.Directory)
	}
	if err == nil {
		want.Keys, err = token.AuditKeys(ctx)
	}
	if err == nil {
		err = hold(ctx, token, &want)
	}
	if err != nil {
		r.fail(err)
		return
	}
	_, problems, err := audit.Verify(view, want)
	switch {
	case err != nil:
		r.fail(err)
	case len(problems) > 0:
		r.warn(fmt.Sprintf("The audit log is not as it has to be (%s): %s.", counted(len(problems), "problem"), printable(problems[0].Text)),
			"Look into it with `terraform-provider-hsm audit verify`.")
	default:
		r.ok("The audit log can be written, is whole, and goes with the token.")
	}
}

// exposed warns of a directory that somebody else can put another log into. On Windows the
// mode says nothing of that.
func (r *report) exposed(dir string) {
	const others = 0o022
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&others != 0 && runtime.GOOS != "windows" {
		r.warn(fmt.Sprintf("Others than its owner may write to the directory of the audit log (mode %04o).", info.Mode().Perm()),
			"Take that away (`chmod go-w`): whoever may write there can take records away that no checkpoint covers yet, and keep every change from being made.")
	}
}
