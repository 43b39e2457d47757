package command

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// doctor opens the token and says what is to be said of it. It changes nothing there;
// throw-away keys are made and dropped, as by every plan.
func doctor(ctx context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	var chosen selection
	chosen.define(flags)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	r := &report{out: c.Stdout}
	settings, err := chosen.settings(c)
	if err != nil {
		r.fail(err)
		return r.close()
	}
	r.fact("module", settings.ModulePath)
	token, shut := c.Open(settings)
	r.examine(ctx, token, settings.Environment)
	refused := r.refused // what is wrong with the log is nothing that somebody was kept from
	r.log(ctx, token, settings, c.ExamineAudit)
	if err := shut(); err != nil {
		r.warn("The token could not be let go of: "+err.Error(), "Nothing was changed. The HSM's log may have the reason.")
	}
	for _, err := range refused {
		note(ctx, c, settings, err)
	}
	return r.close()
}

// examine asks one thing after the other, and goes no further than the token does.
func (r *report) examine(ctx context.Context, token Token, environment string) {
	info, err := token.Info(ctx)
	if err != nil {
		r.fail(err)
		return
	}
	r.identity(info)
	r.ok("The module can be loaded, and has the token.")
	for _, caution := range info.Cautions {
		r.warn(caution, "")
	}
	r.flags(info.Flags)
	r.room(info)

	can, err := token.Capabilities(ctx) // logs in
	if err != nil {
		r.fail(err)
		r.noticed(token)
		return
	}
	r.abilities(can)
	if slices.Contains(info.Flags, "login_required") {
		r.ok("The login succeeds.")
	}
	r.noticed(token)
	r.belonging(ctx, token, environment)
	r.degrees(can)
}

func (r *report) identity(info keyring.TokenInfo) {
	r.fact("library", info.Library)
	r.fact("token", fmt.Sprintf("%q, serial %s, in slot %d", info.Label, info.Serial, info.Slot))
	r.fact("made by", strings.Join(slices.DeleteFunc([]string{info.Manufacturer, info.Model, "firmware " + info.Firmware}, func(s string) bool { return s == "" }), ", "))
	sessions := "" // many tokens do not tell
	switch {
	case info.Sessions >= 0 && info.MaxSessions > 0:
		sessions = fmt.Sprintf("%d open of %d", info.Sessions, info.MaxSessions)
	case info.Sessions >= 0:
		sessions = fmt.Sprintf("%d open, without a limit", info.Sessions)
	}
	r.fact("sessions", sessions)
}

// flags says what the token's flags mean for whoever depends on it. Those of the user PIN
// are left to the login, which says more.
func (r *report) flags(flags []string) {
	for _, each := range []struct{ flag, problem, hint string }{
		{"so_pin_count_low", "A wrong PIN of the security officer was tried since the last login.", "Find out who tried. A few more would lock it, and then nobody can unlock the user PIN."},
		{"so_pin_final_try", "One more wrong PIN of the security officer locks it for good.", "Have the security officer log in once with the right one."},
		{"so_pin_locked", "The PIN of the security officer is locked: if the user PIN is locked too, nobody can unlock it.", "See the vendor's manual. Mind that most tokens have to be erased then."},
		{"so_pin_to_be_changed", "The PIN of the security officer is a default, or has expired.", "Change it with the vendor's tool."},
	} {
		if slices.Contains(flags, each.flag) {
			r.warn(each.problem, each.hint)
		}
	}
	if !slices.Contains(flags, "login_required") {
		r.warn("The token wants no login: every program that reaches the module can use the keys.", "Set a user PIN with the vendor's tool.")
	}
	if slices.Contains(flags, "write_protected") {
		r.fail(&fault.Error{Kind: fault.Unsupported, Op: "use token", Problem: "The token is write-protected, so nothing can be made or recorded on it.", Hint: "Switch the protection off with the vendor's tool."})
	}
	if slices.Contains(flags, "error_state") {
		r.fail(&fault.Error{Kind: fault.Unavailable, Op: "use token", Problem: "The token says that it failed its self-test.", Hint: "Restart it; if that does not help, ask its vendor."})
	}
}

// room warns before the token is full. A provider needs one session, and one object for
// each record and each half of a key.
func (r *report) room(info keyring.TokenInfo) {
	if free := info.MaxSessions - info.Sessions; info.Sessions >= 0 && info.MaxSessions > 0 && free < 2 {
		r.warn(fmt.Sprintf("Of %d sessions %d are open.", info.MaxSessions, info.Sessions), "Find out which programs hold them; a run needs one at least.")
	}
	const little = 16 << 10
	for _, each := range []struct {
		what  string
		bytes int64
	}{{"private", info.FreePrivateMemory}, {"public", info.FreePublicMemory}} {
		if each.bytes >= 0 && each.bytes < little {
			r.warn(fmt.Sprintf("There are %d bytes left for %s objects.", each.bytes, each.what), "A key with its record takes some 4,000. Destroy what is no longer needed.")
		}
	}
}

func (r *report) abilities(can keyring.Capabilities) {
	byOperations := map[keyring.Operations][]string{}
	var order []keyring.Operations
	for _, a := range keyring.Algorithms() {
		ops, ok := can.Algorithms[a]
		if !ok {
			continue
		}
		if byOperations[ops] == nil {
			order = append(order, ops)
		}
		byOperations[ops] = append(byOperations[ops], string(a))
	}
	for n, ops := range order {
		name := ""
		if n == 0 {
			name = "keys"
		}
		r.fact(name, strings.Join(byOperations[ops], ", ")+": "+strings.Join(ops.Names(), ", "))
	}
	if len(order) == 0 {
		r.fail(&fault.Error{Kind: fault.Unsupported, Op: "use token", Problem: "The token makes no key of any kind that the provider knows.", Hint: "Check the module's configuration, and whether the user may generate keys."})
	}
}

// noticed passes on what was noticed on the way, wasted tries of the PIN for example.
func (r *report) noticed(token Token) {
	for _, warning := range token.Warnings() {
		r.warn(warning, "")
	}
}

// belonging says whose token it is.
func (r *report) belonging(ctx context.Context, token Token, environment string) {
	stamp, err := token.Environment(ctx)
	switch {
	case err != nil:
		r.fail(err)
	case stamp == "" && environment == "":
		r.ok("The token belongs to no environment yet: the first apply stamps it.")
	case stamp == "":
		r.ok(fmt.Sprintf("The token belongs to no environment yet: the first apply stamps it for %q.", environment))
	case environment != "" && stamp != environment:
		r.fail(foreign(stamp, environment))
	default:
		r.ok(fmt.Sprintf("The token belongs to environment %q.", stamp))
	}
	if err == nil {
		r.ok("The token keeps private data objects, where the records are.")
	}
}

// foreign is about a token of another environment than the one that was meant.
func foreign(stamp, environment string) error {
	problem := fmt.Sprintf("The token belongs to environment %q, asked for was %q.", stamp, environment)
	if stamp == "" {
		problem = fmt.Sprintf("The token belongs to no environment, asked for was %q.", environment)
	}
	return &fault.Error{
		Kind: fault.Environment, Op: "check environment", Problem: problem,
		Hint: "A provider that is configured for the other one refuses everything on this token. Select the token that was meant.",
	}
}

// degrees says what the provider can do without, and what it means.
func (r *report) degrees(can keyring.Capabilities) {
	if can.Enforcement == keyring.EnforcedByHSM {
		r.ok("What is switched off on a key is refused by the token.")
	} else {
		r.warn("The token goes on doing what was switched off on a key: of versions that were rotated or revoked only the records say so (enforcement = \"advisory\").",
			"Use retire_action = \"destroy\", so that an old private key is gone when its overlap ends.")
	}
	if can.Attests {
		r.ok("The token tells truthfully where a key was generated, and whether it could ever leave.")
	} else {
		r.warn("The token does not prove where a key was generated, nor that it could never leave (attested = false).", "Do not import keys into a token on which that matters.")
	}
	if _, able := can.Algorithms[keyring.HMACSHA256]; !able {
		r.warn("The token has no HMAC keys: API credentials of the type shared_secret cannot be issued.", "Use the type public_key.")
	}
}
