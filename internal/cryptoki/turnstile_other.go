//go:build !unix

package cryptoki

import (
	"errors"
	"os"
)

// Elsewhere nobody waits for others, and everybody looks before writing.
func openShared(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func lockFile(*os.File) error { return errors.ErrUnsupported }
