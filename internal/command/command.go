// Package command is the face that an operator sees who starts the provider's binary by
// hand: what it is, which version, and whether it could work with a token.
//
// It translates and decides nothing, like package provider. It changes nothing on a
// token but the key that signs the audit log, and takes no PIN as an argument, where every
// user of the host could read it.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// The exit codes. A script tells by them what it cannot read.
const (
	exitFine   = 0
	exitFailed = 1 // what was asked for was tried, and the answer is no
	exitUsage  = 2 // what was asked for was not understood
)

// Token is the token as an operator's tool looks at it. Every error is a *fault.Error.
type Token interface {
	// Info describes the token. Needs no login.
	Info(ctx context.Context) (keyring.TokenInfo, error)
	// Capabilities tells what the token can do; logs in, and may make and drop
	// throw-away keys.
	Capabilities(ctx context.Context) (keyring.Capabilities, error)
	// Environment returns the name that the token is stamped with, empty if it bears no
	// stamp and no records either. A token on which no record can be kept is
	// fault.Unsupported.
	Environment(ctx context.Context) (string, error)
	// Histories returns what every record tells of its past, by kind and name:
	// "key/orders". A record that cannot be read is an error that names it.
	Histories(ctx context.Context) (map[string]history.Chain, error)
	// AuditKeys returns every version of the key that signs the audit log, none if there is
	// no such key.
	AuditKeys(ctx context.Context) ([]audit.Key, error)
	// Versions lists the versions whose keys should be on the token, by record ("key/orders")
	// and number, each with its fingerprint.
	Versions(ctx context.Context) (map[string]map[int]string, error)
	// Unsound tells of which versions, by record and number, the key on the token is not the
	// one that was recorded, or not there, in whole sentences. It tries each key.
	Unsound(ctx context.Context) (map[string]map[int]string, error)
	// Foreign describes the keys on the token that no record is about, by "object/" and
	// their CKA_ID.
	Foreign(ctx context.Context) (map[string]string, error)
	// Warnings lists what was noticed by now although nothing failed, in whole sentences.
	Warnings() []string
}

// Config is what the commands need of the world.
type Config struct {
	Version        string // of the provider
	Stdout, Stderr io.Writer
	Getenv         func(name string) string
	// Open returns the token that the settings select, and what closes it. It does no
	// I/O: the module is opened when the token is first asked something.
	Open func(config.Settings) (token Token, shut func() error)
	// RotateAuditKey makes the next version of the key that signs the audit log. The reason
	// may be empty.
	RotateAuditKey func(ctx context.Context, s config.Settings, reason string) (version int, err error)
	// SettleAudit closes what is open in the audit log, and has it go on from what is on the
	// token; see audit.Log.
	SettleAudit func(ctx context.Context, s config.Settings, reason string) (audit.Settlement, error)
	// ExamineAudit tells whether there is an audit log, and refuses what the next change would
	// refuse; see audit.Log. It writes nothing. The settings name a directory.
	ExamineAudit func(ctx context.Context, s config.Settings) (begun bool, err error)
	// Refuse writes down in the audit log that something was refused. The settings name one.
	Refuse func(ctx context.Context, s config.Settings, refused error) error
	// User is who runs the command, "user@host", for when nothing else says.
	User func() string
}

// command is one of the words that may follow the binary's name.
type command struct {
	name, summary string
	run           func(ctx context.Context, c Config, args []string) int
}

// commands lists them in the order in which they are shown.
func commands() []command {
	return []command{
		{"audit", "verify, show, export and prove what is in the audit log", auditing},
		{"doctor", "open the token and say what it is, what it can do and what is unsafe about it", doctor},
		{"history", "print what the records on the token tell of their past: who did what, when and why", tell},
		{"version", "print the version, and what it was built from", version},
	}
}

// Run carries out what the arguments say, and returns the exit code: 0 if all is well, 1
// if the answer is no, 2 if the arguments say nothing that could be done.
func Run(ctx context.Context, c Config, args []string) int {
	if len(args) == 0 {
		_, _ = fmt.Fprint(c.Stderr, overview())
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, _ = fmt.Fprint(c.Stdout, overview())
		return exitFine
	case "-version", "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	for _, each := range commands() {
		if each.name == args[0] {
			return each.run(ctx, c, args[1:])
		}
	}
	_, _ = fmt.Fprintf(c.Stderr, "There is no command %q.\n\n%s", args[0], overview())
	return exitUsage
}

// overview is what somebody is told who starts the binary by hand.
func overview() string {
	var b strings.Builder
	b.WriteString(`This is the provider "hsm" for Terraform and OpenTofu: keys that live in a PKCS#11 hardware
security module. Terraform starts it by itself; started by hand it is a tool for operators.

Usage: terraform-provider-hsm COMMAND [ARGUMENTS]

`)
	for _, each := range commands() {
		fmt.Fprintf(&b, "  %-9s %s\n", each.name, each.summary)
	}
	b.WriteString(`
"terraform-provider-hsm COMMAND -h" lists a command's arguments. To have Terraform use it, name
keystead/hsm in a required_providers block. Documentation:
https://registry.terraform.io/providers/keystead/hsm/latest/docs
`)
	return b.String()
}

// anyNumber is of the words that may follow a command's arguments.
const anyNumber = -1

// parse reads a command's arguments, which no more than so many words may follow. When it
// returns false the command is over, with the exit code.
func parse(c Config, flags *flag.FlagSet, args []string, words int) (code int, ok bool) {
	flags.SetOutput(c.Stderr)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitFine, false
	case err != nil: // the flag package has said what
		return exitUsage, false
	case words != anyNumber && flags.NArg() > words:
		_, _ = fmt.Fprintf(c.Stderr, "%s takes no argument %q.\n", flags.Name(), flags.Arg(words))
		return exitUsage, false
	}
	return exitFine, true
}

// note writes down what the token refused in the audit log, if there is one: only a change
// begins it.
func note(ctx context.Context, c Config, s config.Settings, refused error) {
	if refused == nil || s.Audit.Directory == "" || !audit.Notable(refused) {
		return
	}
	if _, err := audit.OpenView(s.Audit.Directory); fault.Is(err, fault.NotFound) {
		return
	}
	if err := c.Refuse(ctx, s, refused); err != nil {
		_, _ = fmt.Fprintf(c.Stderr, "A refusal could not be written down: %s\n", strings.Join(explain(err).problems, " "))
	}
}

// refuse says why a command could not be carried out.
func refuse(c Config, err error) int {
	r := report{out: c.Stderr}
	r.fail(err)
	_, _ = fmt.Fprintln(c.Stderr, strings.Join(r.findings, "\n"))
	return exitFailed
}
