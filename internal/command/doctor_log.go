package command

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// log says whether there is an audit log that changes could be written down in, if one is
// configured, and whether the key that signs it is there.
func (r *report) log(ctx context.Context, token Token, s config.Settings) {
	if s.Audit.Directory == "" || r.failures > 0 {
		return
	}
	r.fact("audit log", s.Audit.Directory)
	view, err := audit.OpenView(s.Audit.Directory)
	if fault.Is(err, fault.NotFound) {
		r.ok("There is no audit log in its directory yet: the first change begins one.")
		return
	}
	if err == nil {
		err = audit.Writable(s.Audit.Directory)
	}
	want := audit.Expectation{Own: "key/" + keyring.AuditKeyName}
	if err == nil {
		want.Environment, err = token.Environment(ctx)
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
			"Look into it with `terraform-provider-hsm audit verify`. Until then changes may be refused.")
	default:
		r.ok("The audit log can be written, is whole, and goes with the token.")
	}
}
