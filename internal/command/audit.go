package command

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// auditCommands are the words that may follow "audit".
func auditCommands() []command {
	return []command{
		{"verify", "check the whole log, and hold it to the token", auditVerify},
		{"show", "print records, as a table or as JSON", auditShow},
		{"export", "print records as they are, one a line", auditExport},
		{"prove", "write a record, and the proof that it is in the log", auditProve},
		{"keys", "print the keys that sign the log", auditKeys},
		{"rotate", "give the log a new key to be signed by", auditRotate},
	}
}

func auditing(ctx context.Context, c Config, args []string) int {
	usage := func() string {
		var b strings.Builder
		b.WriteString("Usage: terraform-provider-hsm audit COMMAND [ARGUMENTS]\n\n")
		for _, each := range auditCommands() {
			fmt.Fprintf(&b, "  %-8s %s\n", each.name, each.summary)
		}
		b.WriteString("\nThe log is in -directory, or in the directory that HSM_AUDIT_DIRECTORY names.\n")
		return b.String()
	}
	if len(args) == 0 {
		_, _ = fmt.Fprint(c.Stderr, usage())
		return exitUsage
	}
	for _, each := range auditCommands() {
		if each.name == args[0] {
			return each.run(ctx, c, args[1:])
		}
	}
	if args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		_, _ = fmt.Fprint(c.Stdout, usage())
		return exitFine
	}
	_, _ = fmt.Fprintf(c.Stderr, "There is no command %q.\n\n%s", "audit "+args[0], usage())
	return exitUsage
}

// place is the argument that says where the log is.
type place struct{ directory string }

func (p *place) define(flags *flag.FlagSet) {
	flags.StringVar(&p.directory, "directory", "", "`directory` of the log; otherwise HSM_AUDIT_DIRECTORY")
}

func (p *place) open(c Config) (*audit.View, error) {
	dir := p.directory
	if dir == "" {
		dir = c.Getenv("HSM_AUDIT_DIRECTORY")
	}
	if dir == "" {
		return nil, &fault.Error{
			Kind: fault.Invalid, Op: "open audit log", Problem: "No audit log is named.", Hint: "Give -directory, or set HSM_AUDIT_DIRECTORY.",
		}
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return audit.OpenView(absolute)
}

// several is an argument that may be given more than once.
type several []string

func (s *several) String() string         { return strings.Join(*s, ", ") }
func (s *several) Set(value string) error { *s = append(*s, value); return nil }

// expectation reads what the log is held to: the token's keys and histories if a token is
// selected, and keys that are given.
func (s *selection) expectation(ctx context.Context, c Config, given []string) (audit.Expectation, error) {
	want := audit.Expectation{Environment: s.in.Environment}
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
	settings, err := s.settings(c.Getenv)
	if err != nil {
		return want, err
	}
	token, shut := c.Open(settings)
	defer func() { _ = shut() }() // nothing was changed
	stamp, err := token.Environment(ctx)
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
	histories, err := token.Histories(ctx)
	if err != nil {
		return want, err
	}
	want.Token = map[string]audit.Standing{}
	for name, chain := range histories {
		want.Token[name] = audit.Standing{Seq: chain.Length(), Head: chain.Head()}
	}
	return want, nil
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
	want, err := chosen.expectation(ctx, c, keys)
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
	summary, problems, err := audit.Verify(view, want)
	if err != nil {
		return refuse(c, err)
	}
	_, _ = fmt.Fprintf(c.Stdout, "records      %d\nroot         %s\ncheckpoints  %d, and the newest good one covers %d records\n",
		summary.Records, base64.StdEncoding.EncodeToString(summary.Root[:]), summary.Checkpoints, summary.Signed)
	if n := len(summary.Interrupted); n > 0 {
		_, _ = fmt.Fprintf(c.Stdout, "interrupted  %d operations, the last of them by record %d\n", n, summary.Interrupted[n-1])
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
		_, _ = fmt.Fprintf(c.Stdout, "\nThe log is NOT as it has to be: %d problems.\n", len(problems))
		return exitFailed
	}
	with := ", and goes with the token"
	if want.Token == nil {
		with = "; the token was not asked"
	}
	_, _ = fmt.Fprintf(c.Stdout, "\nThe log is whole%s.\n", with)
	return exitFine
}

// query are the arguments that select records.
type query struct {
	q            audit.Query
	key          string
	since, until string
}

func (q *query) define(flags *flag.FlagSet) {
	flags.StringVar(&q.key, "key", "", "only of the key of this `name`")
	flags.StringVar(&q.q.Subject, "subject", "", "only of this `subject`: key/NAME, credential/NAME, policy/NAME, environment/NAME, token, log")
	flags.StringVar(&q.q.Actor, "actor", "", "only what this `actor` did")
	flags.StringVar(&q.q.Operation, "operation", "", "only this `operation`, or one with such a step: rotate, activated, reveal")
	flags.StringVar(&q.since, "since", "", "only from this `time` on (RFC 3339, or a date)")
	flags.StringVar(&q.until, "until", "", "only before this `time`")
	flags.IntVar(&q.q.Last, "last", 0, "only the last `number` of them")
}

func (q *query) resolve() (audit.Query, error) {
	if q.key != "" {
		q.q.Subject = "key/" + q.key
	}
	for _, each := range []struct {
		name, text string
		to         *time.Time
	}{{"since", q.since, &q.q.Since}, {"until", q.until, &q.q.Until}} {
		if each.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, each.text)
		if err != nil {
			at, err = time.Parse(time.DateOnly, each.text)
		}
		if err != nil {
			return q.q, &fault.Error{
				Kind: fault.Invalid, Op: "select records", Subject: "-" + each.name, Problem: fmt.Sprintf("%q is no time.", each.text), Hint: "Give it as 2027-01-31T12:00:00Z, or as 2027-01-31.",
			}
		}
		*each.to = at
	}
	return q.q, nil
}

// selected runs what both commands do that print records.
func selected(c Config, name string, args []string, more func(*flag.FlagSet), write func([]audit.Found) error) int {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	var at place
	var asked query
	at.define(flags)
	asked.define(flags)
	more(flags)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	view, err := at.open(c)
	if err != nil {
		return refuse(c, err)
	}
	q, err := asked.resolve()
	if err != nil {
		return refuse(c, err)
	}
	found, err := audit.Select(view, q)
	if err == nil {
		err = write(found)
	}
	if err != nil {
		return refuse(c, err)
	}
	return exitFine
}

func auditShow(_ context.Context, c Config, args []string) int {
	asJSON := false
	return selected(c, "audit show", args, func(flags *flag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print the records as JSON, as audit export does")
	}, func(found []audit.Found) error {
		if asJSON {
			return printLines(c, found)
		}
		w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "record\ttime\tactor\tsubject\twhat\toutcome")
		ended := map[string]bool{}
		for _, f := range found {
			ended[f.Event.ID] = ended[f.Event.ID] || f.Event.Phase == audit.Outcome
		}
		for _, f := range found {
			e := f.Event
			if e.Phase == audit.Intent && ended[e.ID] { // its outcome says the same, and what came of it
				continue
			}
			what, outcome := e.Summary(), string(e.Phase)
			if e.Version != 0 {
				what += fmt.Sprintf(" version %d", e.Version)
			}
			if e.Phase == audit.Outcome {
				outcome = "done"
			}
			if e.Failure != nil {
				outcome = e.Failure.Kind
			}
			_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", f.Index, e.Time.Format(time.RFC3339), printable(e.Actor), printable(e.Subject), printable(what), printable(outcome))
			for _, line := range e.Gained {
				_, _ = fmt.Fprintf(w, "\t\t\t\t+ %s\t\n", printable(line))
			}
			for _, line := range e.Lost {
				_, _ = fmt.Fprintf(w, "\t\t\t\t- %s\t\n", printable(line))
			}
		}
		return w.Flush()
	})
}

func auditExport(_ context.Context, c Config, args []string) int {
	return selected(c, "audit export", args, func(*flag.FlagSet) {}, func(found []audit.Found) error { return printLines(c, found) })
}

func printLines(c Config, found []audit.Found) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(c.Stdout, "%s\n", f.Line); err != nil {
			return err
		}
	}
	return nil
}

func auditProve(_ context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit prove", flag.ContinueOnError)
	var at place
	at.define(flags)
	out := flags.String("out", ".", "`directory` to write record-N.json and record-N.tlog-proof into")
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), "Usage of audit prove: terraform-provider-hsm audit prove [ARGUMENTS] RECORD\n\n"+
			"RECORD is a record's number, as audit show prints it.\n\n")
		flags.PrintDefaults()
	}
	if code, ok := parse(c, flags, args, 1); !ok {
		return code
	}
	index, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil {
		flags.Usage()
		return exitUsage
	}
	view, err := at.open(c)
	if err != nil {
		return refuse(c, err)
	}
	line, proof, err := audit.Prove(view, index)
	if err != nil {
		return refuse(c, err)
	}
	base := filepath.Join(*out, fmt.Sprintf("record-%d", index))
	for name, text := range map[string][]byte{base + ".json": line, base + ".tlog-proof": []byte(proof)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return refuse(c, err)
		}
	}
	_, _ = fmt.Fprintf(c.Stdout, "wrote %s.json and %s.tlog-proof\n", base, base)
	return exitFine
}

func auditKeys(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit keys", flag.ContinueOnError)
	var chosen selection
	chosen.define(flags)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	want, err := chosen.expectation(ctx, c, nil)
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

func auditRotate(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit rotate", flag.ContinueOnError)
	var chosen selection
	var at place
	at.define(flags)
	chosen.define(flags)
	actor := flags.String("actor", "", "`name` to record; otherwise HSM_ACTOR, or the user")
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	in := chosen.in
	in.Audit.Directory, in.Actor = at.directory, *actor
	settings, err := config.Resolve(in, c.Getenv, c.User)
	if err == nil && settings.Audit.Directory == "" {
		_, err = at.open(c)
	}
	if err != nil {
		return refuse(c, err)
	}
	version, err := c.RotateAuditKey(ctx, settings)
	if err != nil {
		return refuse(c, err)
	}
	_, _ = fmt.Fprintf(c.Stdout, "The audit log is signed by version %d of its key from now on.\n", version)
	return exitFine
}
