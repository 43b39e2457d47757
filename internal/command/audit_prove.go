package command

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

func auditProve(_ context.Context, c Config, args []string) int {
	flags := flag.NewFlagSet("audit prove", flag.ContinueOnError)
	var at place
	at.define(flags)
	out := flags.String("out", ".", "`directory` to write record-N.json and record-N.tlog-proof into")
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), "Usage of audit prove: terraform-provider-hsm audit prove [ARGUMENTS] RECORD\n\n"+
			"RECORD is a record's number, as audit show prints it.\n\n")
		flags.PrintDefaults()
	}
	if code, ok := parse(c, flags, args, 1); !ok {
		return code
	}
	index, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil {
		flags.Usage()
		return exitUsage
	}
	view, err := at.open(c)
	if err != nil {
		return refuse(c, err)
	}
	line, proof, err := audit.Prove(view, index)
	if err != nil {
		return refuse(c, err)
	}
	base := filepath.Join(*out, fmt.Sprintf("record-%d", index))
	for name, text := range map[string][]byte{base + ".json": line, base + ".tlog-proof": []byte(proof)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return refuse(c, err)
		}
	}
	_, _ = fmt.Fprintf(c.Stdout, "wrote %s.json and %s.tlog-proof\n", base, base)
	return exitFine
}
