package config_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func nobody() string { return "carol@build" }

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// faults takes a joined error apart, and fails on a part that is no fault.Invalid
// with a subject and a hint.
func faults(t *testing.T, err error) []*fault.Error {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v (%T), want joined errors", err, err)
	}
	var list []*fault.Error
	for _, part := range joined.Unwrap() {
		f, ok := part.(*fault.Error)
		if !ok || f.Kind != fault.Invalid || f.Subject == "" || f.Hint == "" {
			t.Errorf("not a fault.Invalid with subject and hint: %#v", part)
			continue
		}
		list = append(list, f)
	}
	return list
}

const goodURI = "pkcs11:token=prod;serial=12ab;model=SoftHSM%20v2;manufacturer=SoftHSM%20project?module-path=/usr/lib/hsm.so"

func TestResolve(t *testing.T) {
	byURI := config.Settings{
		ModulePath: "/usr/lib/hsm.so", TokenLabel: "prod", TokenSerial: "12ab", TokenModel: "SoftHSM v2", TokenManufacturer: "SoftHSM project",
		Environment: "prod", Actor: "carol@build",
	}
	for name, tc := range map[string]struct {
		in   config.Input
		env  map[string]string
		want config.Settings
	}{
		"URI": {in: config.Input{URI: goodURI, Environment: "prod"}, want: byURI},
		"whichever environment": {
			in:   config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", AnyEnvironment: true},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Actor: "carol@build"},
		},
		"whichever environment, and one that is named": {
			in:   config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", AnyEnvironment: true},
			env:  map[string]string{"HSM_ENVIRONMENT": "prod"},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Environment: "prod", Actor: "carol@build"},
		},
		"an audit log": {
			in:   config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", Environment: "prod", Audit: config.AuditInput{Directory: "/var//log"}},
			env:  map[string]string{"HSM_AUDIT_DIRECTORY": "/other"},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Environment: "prod", Actor: "carol@build", Audit: config.Audit{Directory: "/var/log"}},
		},
		"an audit log with mirrors": {
			in: config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", Environment: "prod", Audit: config.AuditInput{Directory: "/log", Mirrors: []config.MirrorInput{
				{Syslog: "tls://siem.example", CAFile: "/ca//x"}, {Syslog: "unix:///dev/log"}, {File: "/var//ship"},
			}}},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Environment: "prod", Actor: "carol@build", Audit: config.Audit{Directory: "/log", Mirrors: []config.Mirror{
				{Syslog: "tls://siem.example", CAFile: "/ca/x"}, {Syslog: "unix:///dev/log"}, {File: "/var/ship"},
			}}},
		},
		"an audit log, by the variable": {
			in:   config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", Environment: "prod"},
			env:  map[string]string{"HSM_AUDIT_DIRECTORY": "/other"},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Environment: "prod", Actor: "carol@build", Audit: config.Audit{Directory: "/other"}},
		},
		"URI with a slot alone": {
			in:   config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", Environment: "prod"},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(5)), Environment: "prod", Actor: "carol@build"},
		},
		"URI with a vendor's query attribute": {
			in:   config.Input{URI: goodURI + "&x-timeout=5&module-name=hsm", Environment: "prod"},
			want: byURI,
		},
		"URI of the environment": {in: config.Input{Environment: "prod"}, env: map[string]string{"HSM_URI": goodURI}, want: byURI},
		"URI given goes before the environment's": {
			in: config.Input{URI: goodURI, Environment: "prod"}, env: map[string]string{"HSM_URI": "nonsense"}, want: byURI,
		},
		"module and label": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "prod", Environment: "prod"},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "prod", Environment: "prod", Actor: "carol@build"},
		},
		"module and serial": {
			in:   config.Input{ModulePath: "/m.so", TokenSerial: "12ab", Environment: "prod"},
			want: config.Settings{ModulePath: "/m.so", TokenSerial: "12ab", Environment: "prod", Actor: "carol@build"},
		},
		"module and slot 0": {
			in:   config.Input{ModulePath: "/m.so", SlotID: new(int64(0)), Environment: "prod"},
			want: config.Settings{ModulePath: "/m.so", SlotID: new(uint(0)), Environment: "prod", Actor: "carol@build"},
		},
		"module and everything, URI of the environment aside": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "prod", TokenSerial: "12ab", SlotID: new(int64(7)), Environment: "prod"},
			env:  map[string]string{"HSM_URI": goodURI},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "prod", TokenSerial: "12ab", SlotID: new(uint(7)), Environment: "prod", Actor: "carol@build"},
		},
		"environment and actor of the environment": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "t"},
			env:  map[string]string{"HSM_ENVIRONMENT": "stage", "HSM_ACTOR": "pipeline 7"},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "t", Environment: "stage", Actor: "pipeline 7"},
		},
		"environment and actor given go before": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod", Actor: "alice"},
			env:  map[string]string{"HSM_ENVIRONMENT": "stage", "HSM_ACTOR": "pipeline 7"},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod", Actor: "alice"},
		},
		"parameters of the module": {
			in:   config.Input{ModulePath: "/m.so", ModuleParameters: "configdir='/db'", TokenLabel: "t", Environment: "prod"},
			want: config.Settings{ModulePath: "/m.so", ModuleParameters: "configdir='/db'", TokenLabel: "t", Environment: "prod", Actor: "carol@build"},
		},
		"sessions": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod", MaxSessions: new(int64(1)), ConcurrentCalls: true},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod", Actor: "carol@build", MaxSessions: 1, ConcurrentCalls: true},
		},
		"environment's name, all kinds of characters": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: "_Prod-eu.1"},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "t", Environment: "_Prod-eu.1", Actor: "carol@build"},
		},
		"environment's name, 63 characters": {
			in:   config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: strings.Repeat("e", 63)},
			want: config.Settings{ModulePath: "/m.so", TokenLabel: "t", Environment: strings.Repeat("e", 63), Actor: "carol@build"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Resolve(tc.in, environment(tc.env), nobody)
			if err != nil {
				t.Fatal(err)
			}
			if got.PIN == nil {
				t.Fatal("there is no PIN function")
			}
			got.PIN = nil
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestResolveNamesSomeActor(t *testing.T) {
	in := config.Input{ModulePath: "/m.so", TokenLabel: "t", Environment: "prod"}
	got, err := config.Resolve(in, environment(nil), func() string { return "" })
	if err != nil || got.Actor != "unknown" {
		t.Errorf("Actor = %q, %v", got.Actor, err)
	}
}

func TestResolveRefuses(t *testing.T) {
	type problem struct{ subject, text string }
	good := func(change func(*config.Input)) config.Input {
		in := config.Input{ModulePath: "/m.so", TokenLabel: "prod", Environment: "prod"}
		change(&in)
		return in
	}
	byURI := func(uri string) config.Input { return config.Input{URI: uri, Environment: "prod"} }
	for name, tc := range map[string]struct {
		in   config.Input
		env  map[string]string
		want []problem
	}{
		"nothing selected":     {config.Input{Environment: "prod"}, nil, []problem{{"uri", "No token is selected"}}},
		"URI and module":       {config.Input{URI: goodURI, ModulePath: "/m.so", Environment: "prod"}, nil, []problem{{"uri", "given are uri, module_path."}}},
		"URI and label":        {config.Input{URI: goodURI, TokenLabel: "t", Environment: "prod"}, nil, []problem{{"uri", "given are uri, token_label."}}},
		"URI and serial":       {config.Input{URI: goodURI, TokenSerial: "1", Environment: "prod"}, nil, []problem{{"uri", "given are uri, token_serial."}}},
		"URI and slot":         {config.Input{URI: goodURI, SlotID: new(int64(0)), Environment: "prod"}, nil, []problem{{"uri", "given are uri, slot_id."}}},
		"URI and everything":   {good(func(in *config.Input) { in.URI, in.TokenSerial, in.SlotID = goodURI, "1", new(int64(1)) }), nil, []problem{{"uri", "given are uri, module_path, token_label, token_serial, slot_id."}}},
		"module alone":         {good(func(in *config.Input) { in.TokenLabel = "" }), nil, []problem{{"module_path", "which of its tokens"}}},
		"label alone":          {good(func(in *config.Input) { in.ModulePath = "" }), nil, []problem{{"module_path", "given is only token_label."}}},
		"label and slot alone": {good(func(in *config.Input) { in.ModulePath, in.SlotID = "", new(int64(1)) }), map[string]string{"HSM_URI": goodURI}, []problem{{"module_path", "given is only token_label, slot_id."}}},
		"slot below 0":         {good(func(in *config.Input) { in.SlotID = new(int64(-1)) }), nil, []problem{{"slot_id", "-1"}}},

		"URI unreadable":                {byURI("pkcs11:token=a b"), nil, []problem{{"uri", `attribute "token"`}}},
		"URI unreadable, environment's": {byURI(""), map[string]string{"HSM_URI": "pkcs11:token"}, []problem{{"uri", "variable HSM_URI cannot be read"}}},
		"URI without a module":          {byURI("pkcs11:token=a"), nil, []problem{{"uri", "The URI names no PKCS#11 module."}}},
		"URI with a module's name":      {byURI("pkcs11:token=a?module-name=hsm"), nil, []problem{{"uri", "module-name alone"}}},
		"URI without a token":           {byURI("pkcs11:?module-path=/m.so"), nil, []problem{{"uri", "which token"}}},
		"URI without a token's name":    {byURI("pkcs11:token=?module-path=/m.so"), nil, []problem{{"uri", "which token"}}},
		"URI of an object": {
			byURI("pkcs11:token=a;object=o;type=private;id=%01;slot-description=d;library-version=1;x-v=1?module-path=/m.so"), nil,
			[]problem{{"uri", "do not select a token here: library-version, slot-description, object, type, id, x-v."}},
		},
		"URI without anything": {byURI("pkcs11:"), nil, []problem{{"uri", "no PKCS#11 module"}, {"uri", "which token"}}},

		"PIN and pin-value": {
			config.Input{URI: goodURI + "&pin-value=271828", PIN: secret.New("314159"), Environment: "prod"}, nil,
			[]problem{{"pin", "by pin, and by the pin-value of the URI"}},
		},
		"PIN and pin-source": {
			config.Input{URI: goodURI + "&pin-source=/etc/pin", PIN: secret.New("314159"), Environment: "prod"}, nil,
			[]problem{{"pin", "by pin, and by the pin-source of the URI"}},
		},
		"PIN, and a URI of the environment with one": {
			config.Input{PIN: secret.New("314159"), Environment: "prod"}, map[string]string{"HSM_URI": goodURI + "&pin-value=271828"},
			[]problem{{"pin", "by pin, and by the pin-value of the URI"}},
		},
		"pin-source relative":        {byURI(goodURI + "&pin-source=271828"), nil, []problem{{"uri", "not an absolute path"}}},
		"pin-source, file: relative": {byURI(goodURI + "&pin-source=file:271828"), nil, []problem{{"uri", "not an absolute path"}}},
		"pin-source, file: nothing":  {byURI(goodURI + "&pin-source=file:"), nil, []problem{{"uri", "not an absolute path"}}},
		"pin-source, another host":   {byURI(goodURI + "&pin-source=file://host/etc/pin"), nil, []problem{{"uri", "another host"}}},
		"pin-source, command":        {byURI(goodURI + "&pin-source=|/bin/pin"), nil, []problem{{"uri", "runs a command"}}},
		"pin-source, encoded":        {byURI(goodURI + "&pin-source=%7C/bin/pin"), nil, []problem{{"uri", "runs a command"}}},
		"pin-source, https":          {byURI(goodURI + "&pin-source=https://host/pin"), nil, []problem{{"uri", "scheme other than file"}}},

		"environment missing":       {good(func(in *config.Input) { in.Environment = "" }), nil, []problem{{"environment", "No environment"}}},
		"environment with a space":  {good(func(in *config.Input) { in.Environment = "my prod" }), nil, []problem{{"environment", `"my prod"`}}},
		"environment too long":      {good(func(in *config.Input) { in.Environment = strings.Repeat("e", 64) }), nil, []problem{{"environment", "not a usable name"}}},
		"environment with a break":  {good(func(in *config.Input) { in.Environment = "prod\n" }), nil, []problem{{"environment", "not a usable name"}}},
		"environment's environment": {good(func(in *config.Input) { in.Environment = "" }), map[string]string{"HSM_ENVIRONMENT": "a/b"}, []problem{{"environment", `"a/b"`}}},
		"no sessions":               {good(func(in *config.Input) { in.MaxSessions = new(int64(0)) }), nil, []problem{{"max_sessions", "0"}}},
		"sessions below 0":          {good(func(in *config.Input) { in.MaxSessions = new(int64(-3)) }), nil, []problem{{"max_sessions", "-3"}}},
		"too many sessions":         {good(func(in *config.Input) { in.MaxSessions = new(int64(math.MaxInt64)) }), nil, []problem{{"max_sessions", "9223372036854775807"}}},

		"several at once": {
			config.Input{URI: goodURI, ModulePath: "/m.so", SlotID: new(int64(-1)), PIN: secret.New("314159"), MaxSessions: new(int64(0))}, nil,
			[]problem{{"slot_id", "-1"}, {"uri", "given are uri, module_path, slot_id."}, {"environment", "No environment"}, {"max_sessions", "0"}},
		},
		"several at once, by URI": {
			config.Input{URI: "pkcs11:?pin-source=pin", PIN: secret.New("314159"), Environment: "?"}, nil,
			[]problem{{"uri", "no PKCS#11 module"}, {"uri", "which token"}, {"uri", "absolute path"}, {"pin", "twice"}, {"environment", "?"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Resolve(tc.in, environment(tc.env), nobody)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("the kind is %v", fault.KindOf(err))
			}
			list := faults(t, err)
			if len(list) != len(tc.want) {
				t.Errorf("%d problems, want %d: %v", len(list), len(tc.want), err)
			}
			for i, f := range list[:min(len(list), len(tc.want))] {
				if f.Subject != tc.want[i].subject || !strings.Contains(f.Error()+".", tc.want[i].text) {
					t.Errorf("problem %d is %v; want one with %s and %q", i+1, f, tc.want[i].subject, tc.want[i].text)
				}
				for _, pin := range []string{"271828", "314159"} {
					if strings.Contains(f.Error()+f.Hint, pin) {
						t.Errorf("it repeats a PIN: %v", f)
					}
				}
			}
			if got.ModulePath != "" || got.PIN != nil {
				t.Errorf("with the error comes %+v", got)
			}
		})
	}
}

func TestResolvedSettingsShowNoPIN(t *testing.T) {
	in := config.Input{URI: goodURI + "&pin-value=271828", Environment: "prod"}
	got, err := config.Resolve(in, environment(nil), nobody)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v", got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got)} {
		if strings.Contains(text, "271828") {
			t.Errorf("the settings show it: %s", text)
		}
	}
	if pin, err := got.PIN(); err != nil || string(pin.Reveal()) != "271828" {
		t.Errorf("PIN = %q, %v", pin.Reveal(), err)
	}
}
