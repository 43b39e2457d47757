package command

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// selection are the arguments by which a command selects a token. They are those of the
// provider block, and the environment's variables stand in for them as they do there.
type selection struct {
	in   config.Input
	slot string
}

func (s *selection) define(flags *flag.FlagSet) {
	flags.StringVar(&s.in.URI, "uri", "", "the token as a PKCS#11 `URI` (RFC 7512); otherwise HSM_URI")
	flags.StringVar(&s.in.ModulePath, "module-path", "", "`file` of the PKCS#11 module, instead of -uri")
	flags.StringVar(&s.in.ModuleParameters, "module-parameters", "", "`text` that the module is initialised with; hardly any takes one")
	flags.StringVar(&s.in.TokenLabel, "token-label", "", "`label` of the token")
	flags.StringVar(&s.in.TokenSerial, "token-serial", "", "serial `number` of the token")
	flags.StringVar(&s.slot, "slot-id", "", "`number` of the token's slot")
	flags.StringVar(&s.in.Environment, "environment", "", "`name` of the environment that the token should belong to; otherwise HSM_ENVIRONMENT")
	usage := flags.Usage
	flags.Usage = func() {
		usage()
		_, _ = fmt.Fprint(flags.Output(), "\nThe PIN comes from the variable HSM_PIN, or from the file that pin-source names in the URI.\n")
	}
}

// settings resolves the selection. Without an environment's name the token may be that of
// any.
func (s *selection) settings(c Config) (config.Settings, error) {
	in := s.in
	in.AnyEnvironment = true
	if s.slot != "" {
		n, err := strconv.ParseInt(s.slot, 0, 64)
		if err != nil {
			return config.Settings{}, &fault.Error{
				Kind: fault.Invalid, Op: "select token", Subject: "slot_id", Problem: fmt.Sprintf("%q is not a number.", s.slot),
				Hint: "Give the number that the module gives the slot.",
			}
		}
		in.SlotID = &n
	}
	return config.Resolve(in, c.Getenv, c.User)
}

// words are what an error has to say, in whole sentences: what is wrong, from the
// outside in, what to do about it, and the PKCS#11 function and code.
type words struct{ problems, hints, codes []string }

func explain(err error) (w words) {
	w.read(err)
	return w
}

func (w *words) read(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // errors.Join
		for _, each := range joined.Unwrap() {
			w.read(each)
		}
		return
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		add(&w.problems, err.Error())
		return
	}
	problem := f.Problem
	if problem == "" {
		problem = f.Kind.String()
	}
	if f.Subject != "" {
		problem = f.Subject + ": " + problem
	}
	add(&w.problems, problem)
	add(&w.hints, f.Hint)
	add(&w.codes, f.Code)
	w.read(f.Cause)
}

func add(list *[]string, text string) {
	if text != "" && !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}
