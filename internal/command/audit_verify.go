package command

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// several is an argument that may be given more than once.
type several []string

func (s *several) String() string         { return strings.Join(*s, ", ") }
func (s *several) Set(value string) error { *s = append(*s, value); return nil }

// expectation reads what the log is held to: keys that are given or, if a token is selected,
// the token's, and what look finds there.
func (s *selection) expectation(ctx context.Context, c Config, given []string, look func(context.Context, Token, *audit.Expectation) error) (want audit.Expectation, err error) {
	want = audit.Expectation{Environment: s.in.Environment, Own: "key/" + keyring.AuditKeyName}
	for _, text := range given {
		environment, key, err := audit.ParseVerifierKey(text)
		if err != nil {
			return want, err
		}
		want.Keys = append(want.Keys, key)
		if want.Environment == "" {
			want.Environment = environment
		}
	}
	if !s.isGiven() && c.Getenv("HSM_URI") == "" {
		if len(given) == 0 {
			return want, &fault.Error{
				Kind: fault.Invalid, Op: "verify audit log", Problem: "Nothing says by which keys the log is signed.",
				Hint: "Select the token as for the provider, or give -key to do without: `terraform-provider-hsm audit keys` prints the keys.",
			}
		}
		return want, nil
	}
	settings, err := s.settings(c)
	if err != nil {
		return want, err
	}
	token, shut := c.Open(settings)
	defer func() {
		_ = shut() // nothing was changed
		note(ctx, c, settings, err)
	}()
	stamp, err := token.Environment(ctx)
	if err == nil && stamp == "" { // nothing was ever done on it
		want.Environment, want.Token = settings.Environment, map[string]audit.Standing{}
		return want, nil
	}
	if err == nil && settings.Environment != "" && settings.Environment != stamp {
		err = foreign(stamp, settings.Environment)
	}
	if err != nil {
		return want, err
	}
	want.Environment = stamp
	if len(given) == 0 { // what was given is what is trusted
		if want.Keys, err = token.AuditKeys(ctx); err != nil {
			return want, err
		}
	}
	if look != nil {
		err = look(ctx, token, &want)
	}
	return want, err
}

// hold adds what is on the token.
func hold(ctx context.Context, token Token, want *audit.Expectation) error {
	histories, err := token.Histories(ctx)
	if err != nil {
		return err
	}
	want.Token, want.Entries = map[string]audit.Standing{}, map[string]map[int]audit.Entry{}
	for name, chain := range histories {
		want.Token[name] = audit.Standing{Seq: chain.Length(), Head: chain.Head()}
		want.Entries[name] = map[int]audit.Entry{}
		for _, e := range chain.All() {
			want.Entries[name][e.Seq] = audit.Entry{
				At: e.At, What: e.What, Version: e.Version, Actor: e.Actor, Reason: e.Reason, Run: e.Run, Digest: e.Digest, Head: e.Hash(),
			}
		}
	}
	if want.Versions, err = token.Versions(ctx); err != nil {
		return err
	}
	if want.Unsound, err = token.Unsound(ctx); err != nil {
		return err
	}
	want.Foreign, err = token.Foreign(ctx)
	return err
}

// isGiven reports whether an argument selects a token.
func (s *selection) isGiven() bool {
	return s.in.URI != "" || s.in.ModulePath != "" || s.in.TokenLabel != "" || s.in.TokenSerial != "" || s.slot != ""
}

func auditVerify(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	var chosen selection
	var at place
	var keys, kept several
	at.define(flags)
	flags.Var(&keys, "key", "a `key` that signs the log, as audit keys prints it, instead of the token's; may be given more than once")
	flags.Var(&kept, "checkpoint", "`file` with a checkpoint that was kept elsewhere; may be given more than once")
	chosen.define(flags)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	view, err := at.open(c)
	if err != nil {
		return refuse(c, err)
	}
	chosen.in.Audit.Directory = at.directory
	want, err := chosen.expectation(ctx, c, keys, hold)
	if err != nil {
		return refuse(c, err)
	}
	for _, name := range kept {
		text, err := os.ReadFile(name)
		if err != nil {
			return refuse(c, err)
		}
		want.Kept = append(want.Kept, text)
	}
	return judge(c, view, want)
}

// judge verifies the log, prints what is to be said of it, and returns the exit code.
func judge(c Config, view *audit.View, want audit.Expectation) int {
	summary, problems, err := audit.Verify(view, want)
	if err != nil {
		return refuse(c, err)
	}
	_, _ = fmt.Fprintf(c.Stdout, "records      %d\nroot         %s\ncheckpoints  %d, and the newest good one covers %d records\n",
		summary.Records, base64.StdEncoding.EncodeToString(summary.Root[:]), summary.Checkpoints, summary.Signed)
	if n := len(summary.Interrupted); n > 0 {
		_, _ = fmt.Fprintf(c.Stdout, "interrupted  %s, the last of them by record %d\n", counted(n, "operation"), summary.Interrupted[n-1])
	}
	if n := len(summary.Late); n > 0 {
		_, _ = fmt.Fprintf(c.Stdout, "signed late  by another run than the one that wrote them: %s, the last of them record %d\n", counted(n, "record"), summary.Late[n-1])
	}
	if n := len(summary.Accepted); n > 0 {
		_, _ = fmt.Fprintf(c.Stdout, "accepted     by an operator: %s, the last of them record %d\n", counted(n, "record"), summary.Accepted[n-1])
	}
	if len(problems) > 0 {
		_, _ = fmt.Fprintln(c.Stdout)
		for _, p := range problems {
			where := "record " + strconv.FormatInt(p.Record, 10)
			if p.Record < 0 {
				where = "the log"
			}
			_, _ = fmt.Fprintf(c.Stdout, "%s: %s\n", where, printable(p.Text))
		}
		_, _ = fmt.Fprintf(c.Stdout, "\nThe log is NOT as it has to be: %s.\n", counted(len(problems), "problem"))
		return exitFailed
	}
	with := ", and goes with the token"
	if want.Token == nil {
		with = "; the token was not asked"
	}
	switch n := int(summary.Records - summary.Signed); {
	case summary.Signed > 0 && n > 0:
		with += "; not covered by a checkpoint yet: " + counted(n, "record") + " at its end"
	case summary.Signed == 0:
		with += "; but no checkpoint covers it yet, so that nothing shows that its records are those that were written"
	}
	_, _ = fmt.Fprintf(c.Stdout, "\nThe log is whole%s.\n", with)
	return exitFine
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func auditKeys(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit keys", flag.ContinueOnError)
	var chosen selection
	chosen.define(flags)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	want, err := chosen.expectation(ctx, c, nil, nil)
	if err != nil {
		return refuse(c, err)
	}
	for _, key := range want.Keys {
		text, err := audit.VerifierKey(want.Environment, key)
		if err != nil {
			return refuse(c, err)
		}
		_, _ = fmt.Fprintln(c.Stdout, text)
	}
	return exitFine
}
