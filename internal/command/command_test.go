package command_test

import (
	"runtime"
	"testing"
)

func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		args       []string
		code       int
		has, lacks []string
	}{
		"nothing":           {nil, 2, []string{`This is the provider "hsm"`, "required_providers", "doctor", "version", "https://registry.terraform.io/providers/keystead/hsm"}, nil},
		"help":              {[]string{"help"}, 0, []string{"Usage: terraform-provider-hsm COMMAND"}, nil},
		"-h":                {[]string{"-h"}, 0, []string{"Usage: terraform-provider-hsm COMMAND"}, nil},
		"version":           {[]string{"version"}, 0, []string{"terraform-provider-hsm 1.2.3 " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}, nil},
		"-version":          {[]string{"-version"}, 0, []string{"terraform-provider-hsm 1.2.3"}, nil},
		"unknown":           {[]string{"rotate"}, 2, []string{`There is no command "rotate".`, "doctor"}, nil},
		"unknown argument":  {[]string{"doctor", "-pin", "1234"}, 2, []string{"not defined: -pin"}, []string{"1234"}},
		"too many":          {[]string{"version", "now"}, 2, []string{`version takes no argument "now".`}, nil},
		"help of a command": {[]string{"doctor", "-h"}, 0, []string{"-module-path", "HSM_PIN"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := hand(t, "", tc.args...)
			check(t, code, tc.code, out, tc.has, tc.lacks)
		})
	}
}
