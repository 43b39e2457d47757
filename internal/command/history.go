package command

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
)

// told is a record's history as JSON.
type told struct {
	Record  string          `json:"record"` // "key/orders"
	Length  int             `json:"length"` // how many entries there have ever been
	Head    string          `json:"head"`   // the hash that stands for all of them
	Entries []history.Entry `json:"entries"`
}

// tell prints what the records on the token tell of their past, those of what was removed
// included. A chain that is torn makes its record unreadable, and is an error.
func tell(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("history", flag.ContinueOnError)
	var chosen selection
	chosen.define(flags)
	asJSON := flags.Bool("json", false, "print JSON, a record a line")
	usage := flags.Usage
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), "Usage of history: terraform-provider-hsm history [ARGUMENTS] [RECORD…]\n\n"+
			"Without a RECORD, like key/orders, credential/bot or policy/trading, all are printed.\n\n")
		usage()
	}
	if code, ok := parse(c, flags, args, anyNumber); !ok {
		return code
	}
	histories, err := chosen.histories(ctx, c)
	if err == nil {
		err = known(histories, flags.Args())
	}
	if err != nil {
		return refuse(c, err)
	}
	for _, name := range slices.Sorted(maps.Keys(histories)) {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), name) {
			continue
		}
		chain := histories[name]
		t := told{Record: name, Length: chain.Length(), Head: chain.Head(), Entries: chain.All()}
		show := t.table
		if *asJSON {
			show = t.json
		}
		if err := show(c); err != nil {
			return refuse(c, err)
		}
	}
	return exitFine
}

// histories opens the token for what its records tell.
func (s *selection) histories(ctx context.Context, c Config) (all map[string]history.Chain, err error) {
	settings, err := s.settings(c)
	if err != nil {
		return nil, err
	}
	token, shut := c.Open(settings)
	defer func() {
		_ = shut() // nothing was changed
		note(ctx, c, settings, err)
	}()
	stamp, err := token.Environment(ctx)
	if err != nil {
		return nil, err
	}
	if settings.Environment != "" && settings.Environment != stamp {
		return nil, foreign(stamp, settings.Environment)
	}
	return token.Histories(ctx)
}

// known refuses names that no record has.
func known(histories map[string]history.Chain, names []string) error {
	for _, name := range names {
		if _, ok := histories[name]; !ok {
			return &fault.Error{
				Kind: fault.NotFound, Op: "read history", Subject: fmt.Sprintf("record %q", name), Problem: "The token holds no such record.",
				Hint: "Give the kind and the name, for example key/orders; without any name all records are printed.",
			}
		}
	}
	return nil
}

func (t told) table(c Config) error {
	_, err := fmt.Fprintf(c.Stdout, "%s  %d entries, head %s\n", t.Record, t.Length, t.Head)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.Stdout, 0, 0, 2, ' ', 0)
	before := 0
	for _, e := range t.Entries {
		if e.Seq != before+1 {
			_, _ = fmt.Fprintf(w, "  …\t\t\t\t\t\n")
		}
		before = e.Seq
		version := ""
		if e.Version != 0 {
			version = fmt.Sprintf("version %d", e.Version)
		}
		_, _ = fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\t%s\n", e.Seq, e.At.Format(time.RFC3339), e.What, version, printable(e.Actor), printable(e.Reason))
	}
	return w.Flush()
}

// printable keeps whoever wrote a record from writing on the reader's terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

func (t told) json(c Config) error { return json.NewEncoder(c.Stdout).Encode(t) }
