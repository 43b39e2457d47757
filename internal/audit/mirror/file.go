package mirror

import (
	"context"
	"errors"
	"os"
)

// file is the path of a file of lines, as they are in the log.
type file string

// send appends lines, or takes back what it could not append whole.
func (f file) send(_ context.Context, entries []entry) error {
	to, err := os.OpenFile(string(f), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := to.Stat()
	if err != nil {
		return errors.Join(err, to.Close())
	}
	var text []byte
	for _, e := range entries {
		text = append(append(text, e.line...), '\n')
	}
	if _, err := to.Write(text); err != nil {
		return errors.Join(err, to.Truncate(info.Size()), to.Close())
	}
	return to.Close()
}

func (f file) close() {}
