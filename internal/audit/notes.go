package audit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// In the file of checkpoints each is followed by an empty line, and in a checkpoint there is
// one between text and signatures. So every second empty line ends one, and what is behind
// the last of these was torn.
func splitNotes(text []byte) (notes [][]byte, whole int) {
	for {
		body, rest, ok := bytes.Cut(text[whole:], []byte("\n\n"))
		if !ok {
			return notes, whole
		}
		signatures, _, ok := bytes.Cut(rest, []byte("\n\n"))
		if !ok {
			return notes, whole
		}
		length := len(body) + len("\n\n") + len(signatures) + len("\n")
		notes = append(notes, text[whole:whole+length])
		whole += length + len("\n")
	}
}

// noteSize is what a checkpoint says of the tree's size, 0 for one that says nothing.
func noteSize(note []byte) int64 {
	lines := bytes.SplitN(note, []byte("\n"), 3)
	if len(lines) < 3 {
		return 0
	}
	size, err := strconv.ParseInt(string(lines[1]), 10, 64)
	if err != nil || size < 0 {
		return 0
	}
	return size
}

func readNotes(dir string) (text []byte, notes [][]byte, whole int, err error) {
	text, err = os.ReadFile(filepath.Join(dir, notesName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, unusable(dir, "The checkpoints cannot be read.", err)
	}
	notes, whole = splitNotes(text)
	return text, notes, whole, nil
}

// Notes are the checkpoints of a log, as they are kept.
type Notes struct {
	All       [][]byte // as they were added, the oldest first
	Published []byte   // the newest one alone; nil if it is not kept
}

// Stray is the published checkpoint if it is not among the others: somebody has cut them off.
func (n Notes) Stray() []byte {
	if slices.ContainsFunc(n.All, func(note []byte) bool { return bytes.Equal(note, n.Published) }) {
		return nil
	}
	return n.Published
}

// Newest is the checkpoint that covers most, nil if there is none. Nothing is verified.
func (n Notes) Newest() []byte {
	newest := n.Published
	for _, note := range n.All {
		if newest == nil || noteSize(note) > noteSize(newest) {
			newest = note
		}
	}
	return newest
}

func allNotes(dir string) (n Notes, err error) {
	// The published one first: it is written last.
	n.Published, err = os.ReadFile(filepath.Join(dir, newestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return n, unusable(dir, "The newest checkpoint cannot be read.", err)
	}
	if !isWhole(n.Published) {
		n.Published = nil
	}
	_, n.All, _, err = readNotes(dir)
	return n, err
}

// isWhole reports whether a published checkpoint has all of its parts. What a power failure, or
// somebody, left of one is as good as none: the others tell.
func isWhole(note []byte) bool {
	notes, length := splitNotes(append(bytes.Clone(note), '\n'))
	return len(notes) == 1 && length == len(note)+1 && noteSize(note) > 0
}

// newestCheckpoint returns the size that the newest checkpoint is of, 0 if there is none.
func newestCheckpoint(dir string) (int64, error) {
	notes, err := allNotes(dir)
	return noteSize(notes.Newest()), err
}

// Checkpoints returns all checkpoints, see Store.
func (d *Directory) Checkpoints() (Notes, error) { return allNotes(d.dir) }

// AddCheckpoint stores a checkpoint, see Store. Killed in it, the file of the newest one
// alone may be the one before.
func (d *Directory) AddCheckpoint(ctx context.Context, size int64, note []byte) error {
	return d.locked(ctx, func() error {
		if err := d.segment.Sync(); err != nil { // what is signed is there, whoever wrote it
			return unusable(d.dir, "The records cannot be made durable.", err)
		}
		d.undurable = false
		if err := d.stillNoted(); err != nil {
			return err
		}
		text, notes, whole, err := readNotes(d.dir)
		if err != nil {
			return err
		}
		if len(notes) > 0 && noteSize(notes[len(notes)-1]) >= size {
			return nil
		}
		file, err := os.OpenFile(filepath.Join(d.dir, notesName), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return unusable(d.dir, "The checkpoints cannot be written.", err)
		}
		defer func() { _ = file.Close() }()
		if whole != len(text) {
			if err := file.Truncate(int64(whole)); err != nil {
				return unusable(d.dir, "A torn checkpoint cannot be taken away.", err)
			}
		}
		_, err = file.Write(append(bytes.Clone(note), '\n'))
		if err == nil {
			err = file.Sync()
		}
		if err != nil {
			return unusable(d.dir, "The checkpoint cannot be written.", errors.Join(err, file.Truncate(int64(whole))))
		}
		d.noted = int64(whole + len(note) + 1)
		d.flush()
		return d.publish(note)
	})
}

// publish puts the newest checkpoint into a file of its own, durably: renamed before its text is
// on the disk it would be empty after a power failure.
func (d *Directory) publish(note []byte) error {
	fresh := filepath.Join(d.dir, newestName+".new")
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = file.Write(note)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err == nil {
		err = os.Rename(fresh, filepath.Join(d.dir, newestName))
	}
	if err == nil {
		err = syncDirectory(d.dir)
	}
	if err != nil {
		return unusable(d.dir, "The newest checkpoint cannot be published.", err)
	}
	return nil
}

// View is a log that is only looked at: nothing is written, closed or made.
type View struct{ dir string }

// Hashes reads the file of the tree, see Hashed.
func (v *View) Hashes() ([]tlog.Hash, error) {
	text, err := os.ReadFile(filepath.Join(v.dir, treeName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unusable(v.dir, "The tree cannot be read.", err)
	}
	list := make([]tlog.Hash, len(text)/tlog.HashSize)
	for n := range list {
		list[n] = tlog.Hash(text[n*tlog.HashSize:])
	}
	return list, nil
}

// OpenView opens the log in a directory to look at it. Without one it is fault.NotFound.
func OpenView(dir string) (*View, error) {
	firsts, err := segments(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(firsts) == 0 {
		err = notFound(dir)
	}
	if err != nil {
		return nil, err
	}
	return &View{dir}, nil
}

// Lines reads lines, see Store.
func (v *View) Lines(from int64, f func(index int64, line []byte) bool) error {
	firsts, err := segments(v.dir)
	if err != nil {
		return err
	}
	return readLines(v.dir, firsts, from, f)
}

// Checkpoints returns all checkpoints, see Store.
func (v *View) Checkpoints() (Notes, error) { return allNotes(v.dir) }

func notFound(dir string) error {
	return &fault.Error{
		Kind: fault.NotFound, Op: "open audit log", Subject: subject(dir), Problem: "There is no audit log in this directory.",
		Hint: "Give the directory that audit in the provider's configuration names.",
	}
}
