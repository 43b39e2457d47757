package config_test

import (
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

func TestMirrorsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		in   config.AuditInput
		says string
	}{
		"no directory":      {config.AuditInput{Mirrors: []config.MirrorInput{{File: "/f"}}}, "a mirror and no directory"},
		"nothing":           {mirrored(config.MirrorInput{}), "either a syslog receiver or a file"},
		"both":              {mirrored(config.MirrorInput{Syslog: "udp://h", File: "/f"}), "either a syslog receiver or a file"},
		"twice":             {mirrored(config.MirrorInput{File: "/f"}, config.MirrorInput{File: "//f"}), "two mirrors to /f"},
		"in the log":        {mirrored(config.MirrorInput{File: "/log/sub/../f"}), "The mirror /log/f is in the directory of the log"},
		"another scheme":    {mirrored(config.MirrorInput{Syslog: "https://h"}), `"https://h" is no syslog receiver`},
		"no host":           {mirrored(config.MirrorInput{Syslog: "tcp://:601"}), "is no syslog receiver"},
		"no URL":            {mirrored(config.MirrorInput{Syslog: "tcp://h:x"}), "is no syslog receiver"},
		"a relative socket": {mirrored(config.MirrorInput{Syslog: "unix://dev/log"}), "is no syslog receiver"},
		"a path":            {mirrored(config.MirrorInput{Syslog: "tls://h/p"}), "is no syslog receiver"},
		"a user":            {mirrored(config.MirrorInput{Syslog: "tls://u@h"}), "is no syslog receiver"},
		"ca_file of a file": {mirrored(config.MirrorInput{File: "/f", CAFile: "/c"}), "needs no ca_file"},
		"ca_file of tcp":    {mirrored(config.MirrorInput{Syslog: "tcp://h", CAFile: "/c"}), "Only a mirror with tls://"},
	} {
		t.Run(name, func(t *testing.T) {
			in := config.Input{URI: "pkcs11:slot-id=5?module-path=/m.so", Environment: "prod", Audit: tc.in}
			_, err := config.Resolve(in, func(string) string { return "" }, func() string { return "" })
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func mirrored(mirrors ...config.MirrorInput) config.AuditInput {
	return config.AuditInput{Directory: "/log", Mirrors: mirrors}
}
