package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// file is a file of lines, as they are in the log.
type file struct {
	path string
	log  string // the directory of the log
}

// send appends lines, or takes back what it could not append whole.
func (f file) send(_ context.Context, entries []entry) error {
	to, err := f.open()
	if err != nil {
		return err
	}
	info, err := to.Stat()
	if err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		err = errors.New("it is a named pipe, into which lines can be written in part: name a file")
	}
	if err == nil {
		err = f.apart(info)
	}
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

// open opens the file, or makes it: not through a link, which may lead anywhere. It does not
// wait for whoever reads a named pipe.
func (f file) open() (*os.File, error) {
	to, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		to, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	}
	return to, err
}

// apart refuses a file of the log itself, by whatever name it is called here.
func (f file) apart(info os.FileInfo) error {
	entries, err := os.ReadDir(f.log)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if other, err := os.Stat(filepath.Join(f.log, e.Name())); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("it is the file %s of the log itself, by a link: name a file elsewhere", e.Name())
		}
	}
	return nil
}

func (f file) close() {}
