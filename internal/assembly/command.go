package assembly

import (
	"context"
	"io"
	"os"

	catalog "github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/command"
	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Command carries out what an operator asks the binary for, and returns the exit code, see
// command.Run.
func Command(ctx context.Context, version string, args []string, stdout, stderr io.Writer) int {
	return command.Run(ctx, command.Config{
		Version: version, Stdout: stdout, Stderr: stderr, Getenv: os.Getenv,
		Open: func(s config.Settings) (command.Token, func() error) {
			token, records := prepare(s)
			return looked{hsm.Healing(hsm.New(token)), records}, token.Close
		},
	}, args)
}

// looked is a token as an operator's tool looks at it.
type looked struct {
	lifecycle.Token
	*catalog.Catalog
}
