package command

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

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
	flags.BoolVar(&q.q.Failed, "failed", false, "only what was refused, or failed")
	flags.StringVar(&q.since, "since", "", "only from this `time` on (RFC 3339, or a date)")
	flags.StringVar(&q.until, "until", "", "only before this `time`")
	flags.IntVar(&q.q.Last, "last", 0, "only the last `number` of them")
}

func (q *query) resolve() (audit.Query, error) {
	if q.q.Last < 0 {
		return q.q, &fault.Error{Kind: fault.Invalid, Op: "select records", Subject: "-last", Problem: fmt.Sprintf("%d is no number of records.", q.q.Last), Hint: "Give how many of the last ones are wanted."}
	}
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
func selected(c Config, name string, args []string, more func(*flag.FlagSet), write func(audit.Query, []audit.Found) error) int {
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
	all := q
	all.Last = 0 // of what is shown
	found, unreadable, err := audit.Select(view, all)
	if err == nil && len(found) == 0 && q.Subject != "" {
		_, _ = fmt.Fprintf(c.Stderr, "There are no records of %s that are asked for.\n", printable(q.Subject))
	}
	if err == nil {
		err = write(q, found)
	}
	if err == nil {
		err = audit.Unreadable(unreadable)
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
	}, func(q audit.Query, found []audit.Found) error {
		if asJSON {
			return printLines(c, q.Latest(found))
		}
		found = q.Latest(withoutIntents(found))
		w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "record\ttime\tactor\tsubject\twhat\toutcome")
		for _, f := range found {
			e := f.Event
			what, outcome := e.Summary(), string(e.Phase)
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
	return selected(c, "audit export", args, func(*flag.FlagSet) {}, func(q audit.Query, found []audit.Found) error { return printLines(c, q.Latest(found)) })
}

// withoutIntents leaves out the intents whose outcomes are there: these say the same, and what
// came of it.
func withoutIntents(found []audit.Found) []audit.Found {
	ended := map[string]bool{}
	for _, f := range found {
		ended[f.Event.ID] = ended[f.Event.ID] || f.Event.Phase == audit.Outcome
	}
	return slices.DeleteFunc(found, func(f audit.Found) bool { return f.Event.Phase == audit.Intent && ended[f.Event.ID] })
}

func printLines(c Config, found []audit.Found) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(c.Stdout, "%s\n", f.Line); err != nil {
			return err
		}
	}
	return nil
}
