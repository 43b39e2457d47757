package command_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/assembly"
	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/command"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// hand runs a command as an operator does who has the PIN in HSM_PIN, and returns what it
// printed, in one line.
func hand(t *testing.T, pin string, args ...string) (code int, out string) {
	t.Helper()
	for _, name := range []string{"HSM_URI", "HSM_ENVIRONMENT", "HSM_ACTOR"} {
		t.Setenv(name, "")
	}
	t.Setenv("HSM_PIN", pin)
	var b bytes.Buffer
	code = assembly.Command(t.Context(), "1.2.3", args, &b, &b)
	return code, flat(b.String())
}

func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func check(t *testing.T, code, want int, out string, has, lacks []string) {
	t.Helper()
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	for _, each := range has {
		if !strings.Contains(out, each) {
			t.Errorf("it does not say %q", each)
		}
	}
	for _, each := range lacks {
		if strings.Contains(out, each) {
			t.Errorf("it says %q", each)
		}
	}
	if t.Failed() {
		t.Logf("it says:\n%s", out)
	}
}

// TestDoctorSoftHSM: what an operator sees of a real token, through its first days.
func TestDoctorSoftHSM(t *testing.T) {
	token := softhsm.New(t, "doctor")
	chosen := []string{"doctor", "-module-path", token.Module, "-token-label", token.Label}
	const wrong = "0000-wrong"

	for _, step := range []struct {
		name, pin  string
		before     func()
		args       []string
		code       int
		has, lacks []string
	}{
		{
			name: "a new token", pin: softhsm.PIN,
			has: []string{
				`token "doctor", serial ` + token.Serial, "SoftHSM", "HMAC_SHA512, ED25519, ED448: sign, verify", "The login succeeds.",
				"WARNING SoftHSM keeps keys in files", "belongs to no environment yet", "is refused by the token", "The provider can work with this token. There is 1 warning.",
			},
			lacks: []string{"FAILED", "A wrong PIN"},
		},
		{
			name: "a wrong PIN", pin: wrong, code: 1,
			has:   []string{"FAILED", "[C_Login: CKR_PIN_INCORRECT]", "The provider could not work."},
			lacks: []string{wrong, "The login succeeds."},
		},
		{
			name: "after a wrong PIN", pin: softhsm.PIN,
			has: []string{"WARNING A wrong PIN was tried on this token", "There are 2 warnings."},
		},
		{
			name: "no PIN", pin: "", code: 1, has: []string{"asks for a PIN and none is given", "HSM_PIN"},
		},
		{
			name: "in use", pin: softhsm.PIN, before: func() { makeKey(t, token, "prod") }, args: []string{"-environment", "prod"},
			has: []string{`The token belongs to environment "prod".`},
		},
		{
			name: "of whichever environment", pin: softhsm.PIN, has: []string{`The token belongs to environment "prod".`},
		},
		{
			name: "of another environment", pin: softhsm.PIN, args: []string{"-environment", "dev"}, code: 1,
			has: []string{`FAILED The token belongs to environment "prod", asked for was "dev".`},
		},
		{
			name: "not there", pin: softhsm.PIN, args: []string{"-token-label", "elsewhere"}, code: 1, has: []string{"FAILED", `"elsewhere"`},
			lacks: []string{"The login succeeds."},
		},
		{
			name: "no such module", pin: softhsm.PIN, args: []string{"-module-path", "/nowhere/lib.so"}, code: 1, has: []string{"FAILED", "/nowhere/lib.so"},
		},
		{
			name: "selected twice", pin: softhsm.PIN, args: []string{"-uri", "pkcs11:token=x?module-path=/y"}, code: 1, has: []string{"The token is selected in two ways"},
		},
		{
			name: "no number", pin: softhsm.PIN, args: []string{"-slot-id", "one"}, code: 1, has: []string{`"one" is not a number`},
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.before != nil {
				step.before()
			}
			code, out := hand(t, step.pin, append(append([]string{}, chosen...), step.args...)...)
			check(t, code, step.code, out, step.has, append(step.lacks, softhsm.PIN))
		})
	}
}

// makeKey makes a key, and so stamps the token.
func makeKey(t *testing.T, token *softhsm.Token, environment string) {
	t.Helper()
	services, shut := assembly.Services(config.Settings{
		ModulePath: token.Module, TokenLabel: token.Label, Environment: environment, Actor: "ada",
		PIN: func() (secret.Value, error) { return secret.New(softhsm.PIN), nil },
	}, time.Now)
	defer func() { _ = shut() }()
	if _, err := services.Keys.Create(t.Context(), keyring.Spec{Name: "k", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables}); err != nil {
		t.Fatal(err)
	}
}

// described is a token that says of itself what it is told to: no real one is locked,
// full and write-protected on demand.
type described struct {
	info        keyring.TokenInfo
	can         keyring.Capabilities
	environment string
	trouble     map[string]error // by method
	warnings    []string
}

func (d described) Info(context.Context) (keyring.TokenInfo, error) { return d.info, d.trouble["Info"] }
func (d described) Capabilities(context.Context) (keyring.Capabilities, error) {
	return d.can, d.trouble["Capabilities"]
}
func (d described) Environment(context.Context) (string, error) {
	return d.environment, d.trouble["Environment"]
}
func (d described) Histories(context.Context) (map[string]history.Chain, error) {
	return nil, nil
}
func (d described) AuditKeys(context.Context) ([]audit.Key, error) { return nil, nil }
func (d described) Versions(context.Context) (map[string]map[int]string, error) {
	return nil, nil
}
func (d described) Unsound(context.Context) (map[string]map[int]string, error) {
	return nil, nil
}
func (d described) Foreign(context.Context) (map[string]string, error) { return nil, nil }
func (d described) Warnings() []string                                 { return d.warnings }

func TestDoctorFindings(t *testing.T) {
	healthy := func() described {
		return described{
			info: keyring.TokenInfo{
				Label: "t", Serial: "1", Flags: []string{"login_required", "user_pin_initialized"}, Sessions: 1, FreePrivateMemory: -1, FreePublicMemory: -1,
			},
			can: keyring.Capabilities{
				Algorithms:  map[keyring.Algorithm]keyring.Operations{keyring.HMACSHA256: keyring.Sign | keyring.Verify},
				Enforcement: keyring.EnforcedByHSM, Attests: true, KeepsRecords: true,
			},
			environment: "prod", trouble: map[string]error{},
		}
	}
	refused := func(k fault.Kind, problem string) error {
		return &fault.Error{Kind: k, Op: "x", Problem: problem, Hint: "Do this."}
	}
	for name, tc := range map[string]struct {
		change     func(d *described)
		code       int
		has, lacks []string
	}{
		"healthy": {func(*described) {}, 0, []string{"can work with this token."}, []string{"WARNING", "FAILED", "warning"}},
		"advisory": {func(d *described) { d.can.Enforcement = keyring.EnforcedAdvisory }, 0,
			[]string{"WARNING The token goes on doing what was switched off", `retire_action = "destroy"`}, nil},
		"not attested": {func(d *described) { d.can.Attests = false }, 0, []string{"WARNING The token does not prove"}, nil},
		"no HMAC": {func(d *described) {
			d.can.Algorithms = map[keyring.Algorithm]keyring.Operations{keyring.ECP256: keyring.Sign}
		}, 0, []string{"WARNING The token has no HMAC keys"}, nil},
		"no keys": {func(d *described) { d.can.Algorithms = nil }, 1, []string{"FAILED The token makes no key of any kind"}, nil},
		"no data objects": {func(d *described) {
			d.trouble["Environment"] = refused(fault.Unsupported, "This token keeps no private data objects.")
		}, 1, []string{"FAILED This token keeps no private data objects. Do this."}, []string{"where the records are"}},
		"records without a stamp": {func(d *described) { d.trouble["Environment"] = refused(fault.Inconsistent, "No marker.") }, 1, []string{"FAILED No marker."}, nil},
		"locked": {func(d *described) {
			d.trouble["Capabilities"] = &fault.Error{Kind: fault.Denied, Op: "log in", Problem: "The user PIN is locked.", Hint: "Ask.", Code: "C_Login: CKR_PIN_LOCKED"}
		}, 1, []string{"FAILED The user PIN is locked. Ask. [C_Login: CKR_PIN_LOCKED]"}, []string{"The login succeeds."}},
		"not there":               {func(d *described) { d.trouble["Info"] = refused(fault.Unavailable, "No token.") }, 1, []string{"FAILED No token."}, []string{"can be loaded"}},
		"write-protected":         {func(d *described) { d.info.Flags = append(d.info.Flags, "write_protected") }, 1, []string{"FAILED The token is write-protected"}, nil},
		"failed its self-test":    {func(d *described) { d.info.Flags = append(d.info.Flags, "error_state") }, 1, []string{"FAILED The token says that it failed its self-test."}, nil},
		"no login":                {func(d *described) { d.info.Flags = nil }, 0, []string{"WARNING The token wants no login"}, []string{"The login succeeds."}},
		"officer's PIN was tried": {func(d *described) { d.info.Flags = append(d.info.Flags, "so_pin_count_low") }, 0, []string{"WARNING A wrong PIN of the security officer was tried"}, nil},
		"officer is locked out":   {func(d *described) { d.info.Flags = append(d.info.Flags, "so_pin_locked") }, 0, []string{"WARNING The PIN of the security officer is locked"}, nil},
		"no sessions left":        {func(d *described) { d.info.Sessions, d.info.MaxSessions = 9, 10 }, 0, []string{"9 open of 10", "WARNING Of 10 sessions 9 are open."}, nil},
		"nearly full":             {func(d *described) { d.info.FreePrivateMemory = 100 }, 0, []string{"WARNING There are 100 bytes left for private objects."}, nil},
		"a caution and a warning": {func(d *described) { d.info.Cautions, d.warnings = []string{"Mind this."}, []string{"And that."} }, 0, []string{"WARNING Mind this.", "WARNING And that.", "There are 2 warnings."}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := healthy()
			tc.change(&d)
			var b bytes.Buffer
			closed := 0
			code := command.Run(t.Context(), command.Config{
				Stdout: &b, Stderr: &b, Getenv: func(string) string { return "" }, User: func() string { return "ada@build" },
				Open: func(config.Settings) (command.Token, func() error) { return d, func() error { closed++; return nil } },
			}, []string{"doctor", "-module-path", "/m", "-token-label", "t"})
			check(t, code, tc.code, flat(b.String()), tc.has, tc.lacks)
			if closed != 1 {
				t.Errorf("closed %d times", closed)
			}
		})
	}
}
