package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/config"
)

// acting are the arguments of a command that writes to the log.
type acting struct {
	chosen selection
	at     place
	actor  string
	reason string
}

func (a *acting) define(flags *flag.FlagSet) {
	a.at.define(flags)
	a.chosen.define(flags)
	flags.StringVar(&a.actor, "actor", "", "`name` to record; otherwise HSM_ACTOR, or the user")
}

// defineReason defines -reason. One that says nothing is worse than none: it would be written
// down as if somebody had thought about it.
func (a *acting) defineReason(flags *flag.FlagSet, usage string) {
	flags.Func("reason", usage, func(text string) error {
		text = strings.TrimSpace(text)
		if text == "" {
			return errors.New("it says nothing: give the reason in words, or leave -reason out")
		}
		a.reason = text
		return nil
	})
}

func (a *acting) settings(c Config) (config.Settings, error) {
	in := a.chosen.in
	in.Audit.Directory, in.Actor = a.at.directory, a.actor
	settings, err := config.Resolve(in, c.Getenv, c.User)
	if err == nil && settings.Audit.Directory == "" {
		err = noLog()
	}
	return settings, err
}

func auditSettle(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit settle", flag.ContinueOnError)
	var as acting
	as.define(flags)
	as.defineReason(flags, "`words` that say why what the log does not tell of is accepted; they are written down")
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	settings, err := as.settings(c)
	if err != nil {
		return refuse(c, err)
	}
	settled, err := c.SettleAudit(ctx, settings, as.reason)
	if err != nil {
		note(ctx, c, settings, err)
		return refuse(c, err)
	}
	for _, each := range []struct {
		is   bool
		text string
	}{
		{settled.Begun, "A log was begun."},
		{settled.Moved, "The log was taken over to this token."},
		{settled.CutBack, "Checkpoints that were lost were given up: what they covered is signed anew."},
		{settled.Renewed, "The key that signs the log was lost: it was revoked, and has a new version."},
	} {
		if each.is {
			_, _ = fmt.Fprintln(c.Stdout, each.text)
		}
	}
	verb := "were"
	if settled.Closed == 1 {
		verb = "was"
	}
	_, _ = fmt.Fprintf(c.Stdout, "%s %s closed.\n", counted(settled.Closed, "interrupted operation"), verb)
	for _, subject := range settled.Accepted {
		_, _ = fmt.Fprintf(c.Stdout, "%s was taken over as it is on the token.\n", printable(subject))
	}
	// Whether that was all that was wrong.
	view, err := as.at.open(c)
	if err != nil {
		return refuse(c, err)
	}
	want, err := as.chosen.expectation(ctx, c, nil, hold)
	if err != nil {
		return refuse(c, err)
	}
	_, _ = fmt.Fprintln(c.Stdout)
	return judge(c, view, want)
}

func auditRotate(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit rotate", flag.ContinueOnError)
	var as acting
	as.define(flags)
	as.defineReason(flags, "`words` that say why; they are written down")
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	settings, err := as.settings(c)
	if err != nil {
		return refuse(c, err)
	}
	version, err := c.RotateAuditKey(ctx, settings, as.reason)
	if err != nil {
		note(ctx, c, settings, err)
		return refuse(c, err)
	}
	_, _ = fmt.Fprintf(c.Stdout, "The audit log is signed by version %d of its key from now on.\n", version)
	return exitFine
}
