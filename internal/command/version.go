package command

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version prints what this binary is, for a report of a mistake.
func version(_ context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	if code, ok := parse(c, flags, args, 0); !ok {
		return code
	}
	_, _ = fmt.Fprintf(c.Stdout, "terraform-provider-hsm %s\n%s %s/%s", c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	built := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			built[s.Key] = s.Value
		}
	}
	if built["CGO_ENABLED"] == "0" {
		_, _ = fmt.Fprint(c.Stdout, ", without cgo: it cannot open a PKCS#11 module")
	}
	_, _ = fmt.Fprintln(c.Stdout)
	if revision := built["vcs.revision"]; revision != "" {
		if built["vcs.modified"] == "true" {
			revision += ", with changes"
		}
		_, _ = fmt.Fprintf(c.Stdout, "commit %s\n", revision)
	}
	return exitFine
}
