package command

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
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
		{"settle", "close what a killed run left open, and go on from what is on the token", auditSettle},
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
		return nil, noLog()
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return audit.OpenView(absolute)
}

func noLog() error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "open audit log", Problem: "No audit log is named.", Hint: "Give -directory, or set HSM_AUDIT_DIRECTORY.",
	}
}
