package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Directory is a Store of plain files:
//
//	records-000000000000.jsonl  the first lines; the name says the first one's index
//	records-000000021341.jsonl  the next ones, and so on: only the last file grows
//	tree                        the hashes of the tree, 32 bytes each; what is missing is computed
//	checkpoints                 all checkpoints, each followed by an empty line
//	checkpoint                  the newest one alone, to be published
//	torn-000000000017           what a kill left of a line, by the index of the record that says so
//	lock                        held by whoever writes
//
// A file is only ever written at its end, by one process at a time. A kill leaves a line
// without its end; whoever comes next sees that the writer is gone, as the lock is free,
// puts the torn text aside and a record of that in its place. No hash is in the tree's file,
// and none signed, before its line is durable: so a torn line that has one was torn since.
type Directory struct {
	dir  string
	torn func(size int64, digest string) ([]byte, error)
	lock *lock
	// looking says that nothing is written: see InspectDirectory. What is not there is nil then.
	looking bool

	queue   sync.Mutex // guards waiting and leading
	waiting []*waiter
	leading bool

	mu      sync.Mutex // guards what follows
	segment *os.File   // the last one
	first   int64      // index of its first line
	end     int64      // its length in bytes, as far as it is known
	size    int64      // lines in all segments, as far as they are known
	covered int64      // lines that the newest checkpoint covered when the log was opened
	noted   int64      // bytes of checkpoints, as far as they are known
	tree    *os.File
	// undurable says that the last lines may not be on the disk yet.
	undurable bool
	broken    error // nothing can be appended any more

	hashing sync.RWMutex // guards what follows; written only with mu held
	base    int64        // how many hashes of the tree are in its file
	fresh   []tlog.Hash  // and those that follow
}

const (
	treeName   = "tree"
	notesName  = "checkpoints"
	newestName = "checkpoint"
	lockName   = "lock"
)

// OpenDirectory opens the log in a directory, which is made if need be, to write to it.
// torn makes the record that stands for the text that a killed process left, of a length and
// a SHA-256; waiting, which may be nil, is told when the log is locked by another process for
// long, and by which. A directory in which something is wrong is fault.Inconsistent.
func OpenDirectory(ctx context.Context, dir string, torn func(size int64, digest string) ([]byte, error), waiting func(ctx context.Context, holder string)) (*Directory, error) {
	return openDirectory(ctx, dir, torn, patience{noticed, longest, waiting})
}

func openDirectory(ctx context.Context, dir string, torn func(size int64, digest string) ([]byte, error), p patience) (*Directory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, "The directory cannot be made.", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusable(dir, "The directory cannot be written to.", err)
	}
	d := &Directory{dir: dir, torn: torn, lock: newLock(file, p)}
	if err := d.locked(ctx, d.open); err != nil {
		_ = d.Close(ctx)
		return nil, err
	}
	return d, nil
}

// same makes sure that an open file is still the one of that name.
func (d *Directory) same(file *os.File, name string) error {
	there, err := os.Stat(filepath.Join(d.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return d.tampered(fmt.Sprintf("The file %s was removed.", name))
	}
	if err != nil {
		return unusable(d.dir, "The log cannot be looked at.", err)
	}
	mine, err := file.Stat()
	if err != nil {
		return unusable(d.dir, "The log cannot be looked at.", err)
	}
	if !os.SameFile(there, mine) {
		return d.tampered(fmt.Sprintf("The file %s was replaced by another one.", name))
	}
	return nil
}

func (d *Directory) open() error {
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	if d.tree, err = d.openFile(treeName); err != nil {
		return unusable(d.dir, "The tree cannot be opened.", err)
	}
	newest, err := newestCheckpoint(d.dir)
	if err != nil {
		return err
	}
	d.covered = newest
	_, _, whole, err := readNotes(d.dir)
	if err != nil {
		return err
	}
	d.noted = int64(whole)
	switch {
	case len(firsts) > 0 && firsts[0] != 0:
		return d.tampered(fmt.Sprintf("The first records are missing: it begins with record %d.", firsts[0]))
	case len(firsts) == 0:
		if newest > 0 {
			return d.tampered("The records are gone; there is a checkpoint of " + strconv.FormatInt(newest, 10) + ".")
		}
		if d.looking {
			return nil
		}
		return d.begin(0)
	}
	d.first = firsts[len(firsts)-1]
	if d.segment, err = os.OpenFile(filepath.Join(d.dir, segmentName(d.first)), os.O_RDWR|os.O_APPEND, 0); err != nil {
		return unusable(d.dir, "The last records cannot be opened.", err)
	}
	d.size = d.first
	known, err := d.hashed()
	if err != nil {
		return err
	}
	d.base = tlog.StoredHashCount(known)
	if known < d.first { // the tree was lost
		if err := d.rehash(known); err != nil {
			return err
		}
	}
	if err := d.sequence(firsts); err != nil {
		return err
	}
	if newest < d.first {
		if err := d.earlier(firsts, newest); err != nil {
			return err
		}
	}
	if err := d.catchUp(); err != nil {
		return err
	}
	if known > d.size {
		return d.tampered(fmt.Sprintf("Records are missing: there are %d, and hashes of %d.", d.size, known))
	}
	if newest > d.size {
		return d.tampered(fmt.Sprintf("Records are missing: there are %d, and a checkpoint of %d.", d.size, newest))
	}
	return nil
}

// catchUp takes in what other processes have appended, and closes what a killed one left.
// The lock is held.
func (d *Directory) catchUp() error {
	for {
		if err := d.same(d.segment, segmentName(d.first)); err != nil {
			return err
		}
		info, err := d.segment.Stat()
		if err != nil {
			return unusable(d.dir, "The log cannot be looked at.", err)
		}
		if info.Size() < d.end {
			return d.tampered(fmt.Sprintf("The file %s was cut off: it had %d bytes, and has %d.", segmentName(d.first), d.end, info.Size()))
		}
		if err := d.stillNoted(); err != nil {
			return err
		}
		if info.Size() > d.end {
			if err := d.take(info.Size() - d.end); err != nil {
				return err
			}
		}
		next := filepath.Join(d.dir, segmentName(d.size))
		if d.size == d.first {
			return nil
		}
		file, err := os.OpenFile(next, os.O_RDWR|os.O_APPEND, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return unusable(d.dir, "The next records cannot be opened.", err)
		}
		_ = d.segment.Close()
		d.segment, d.first, d.end = file, d.size, 0
	}
}

// stillNoted makes sure that the checkpoints that were there are. There are only ever more.
func (d *Directory) stillNoted() error {
	info, err := os.Stat(filepath.Join(d.dir, notesName))
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.noted > 0:
		return d.tampered(fmt.Sprintf("The file %s was removed.", notesName))
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(d.dir, "The log cannot be looked at.", err)
	case info.Size() < d.noted:
		return d.tampered(fmt.Sprintf("The file %s was cut off: it had %d bytes, and has %d.", notesName, d.noted, info.Size()))
	}
	return nil
}

// take reads so many bytes after what is known.
func (d *Directory) take(n int64) error {
	text := make([]byte, n)
	if _, err := d.segment.ReadAt(text, d.end); err != nil {
		return unusable(d.dir, "The log cannot be read.", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	var lines [][]byte
	for rest := text[:whole]; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		lines, rest = append(lines, line), after
	}
	if err := d.readable(d.size, lines); err != nil {
		return err
	}
	if err := d.compare(lines); err != nil {
		return err
	}
	d.size, d.end = d.size+int64(len(lines)), d.end+int64(whole)
	if whole == len(text) {
		return nil
	}
	return d.closeTorn(text[whole:])
}

// readable refuses lines that others have written, and that are no records: once a checkpoint
// covers them they stay in the log. What is covered is for verify.
func (d *Directory) readable(index int64, lines [][]byte) error {
	for n, line := range lines {
		if index+int64(n) < d.covered {
			continue
		}
		if _, err := Decode(line); err != nil {
			return d.tampered(fmt.Sprintf("Record %d is none: something else was written into the file.", index+int64(n)))
		}
	}
	return nil
}

// earlier is readable for the lines from an index on that are not in the last segment.
func (d *Directory) earlier(firsts []int64, from int64) error {
	var refused error
	err := readLines(d.dir, firsts, from, func(index int64, line []byte) bool {
		if index < d.first {
			refused = d.readable(index, [][]byte{line})
		}
		return refused == nil && index+1 < d.first
	})
	return cmp.Or(err, refused)
}

// closeTorn puts the text that a kill left of a line aside, and a record of that in its place.
// Nobody was told that the line was stored. If its hash was, or a checkpoint covers it, it was
// whole: then it was cut off since, by hand or by a disk, and is left as it is.
func (d *Directory) closeTorn(text []byte) error {
	newest, err := newestCheckpoint(d.dir)
	if err != nil {
		return err
	}
	hashes, err := d.treeBytes()
	if err != nil {
		return err
	}
	if newest > d.size || linesOf(hashes/tlog.HashSize) > d.size {
		return d.tampered(fmt.Sprintf("Record %d was cut off after it had been written.", d.size))
	}
	if d.looking {
		return nil
	}
	// Killed from here on, the next one does the same again.
	if err := d.putAside(text); err != nil {
		return err
	}
	if err := d.segment.Truncate(d.end); err != nil {
		return unusable(d.dir, "A torn record cannot be taken away.", err)
	}
	sum := sha256.Sum256(text)
	line, err := d.torn(int64(len(text)), hex.EncodeToString(sum[:]))
	if err != nil {
		return err
	}
	return d.write([][]byte{line}, false)
}

// putAside keeps the text of a torn line in a file of its own.
func (d *Directory) putAside(text []byte) error {
	file, err := os.OpenFile(filepath.Join(d.dir, tornName(d.size)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return unusable(d.dir, "A torn record cannot be put aside.", err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close(), syncDirectory(d.dir)); err != nil {
		return unusable(d.dir, "A torn record cannot be put aside.", err)
	}
	return nil
}

func tornName(index int64) string { return fmt.Sprintf("torn-%012d", index) }

// compare holds lines that were just read to the hashes in the file, and computes those that
// are not there.
func (d *Directory) compare(lines [][]byte) error {
	d.hashing.RLock()
	known := d.size
	for known < d.size+int64(len(lines)) && tlog.StoredHashCount(known+1) <= d.base {
		known++
	}
	d.hashing.RUnlock()
	for n, line := range lines {
		index := d.size + int64(n)
		if index >= known {
			return d.hash(index, lines[n:])
		}
		stored, err := d.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		if stored[0] != tlog.RecordHash(line) {
			return d.tampered(fmt.Sprintf("Record %d is not the one that was written, or its hash in the file %s is not: they do not go together.", index, treeName))
		}
	}
	return nil
}

// Size returns how many lines are known, see Store.
func (d *Directory) Size() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// Close lets go of the files. Whoever is still waiting is told so.
func (d *Directory) Close(ctx context.Context) (err error) {
	if d.segment != nil && !d.looking {
		err = d.locked(ctx, func() error {
			if err := d.sync(); err != nil {
				return err
			}
			d.flush() // whoever opens it next can do that
			return nil
		})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = &fault.Error{Kind: fault.Internal, Op: "write audit record", Subject: subject(d.dir), Problem: "The log was closed."}
	if d.lock != nil {
		_ = d.lock.file.Close()
	}
	for _, file := range []*os.File{d.segment, d.tree} {
		if file != nil {
			_ = file.Close()
		}
	}
	return err
}

// sync makes durable what need not have been so far. The lock is held.
func (d *Directory) sync() error {
	if !d.undurable {
		return nil
	}
	if err := d.segment.Sync(); err != nil {
		return unusable(d.dir, "The last records cannot be made durable.", err)
	}
	d.undurable = false
	return nil
}

func subject(dir string) string { return "audit log " + dir }

// unusable is the fault of a log that cannot be used, and in which nothing is wrong.
func unusable(dir, problem string, cause error) error {
	kind, hint := fault.Unavailable, "See to the directory, and run again: as long as the log cannot be written nothing is changed."
	if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) || errors.Is(cause, syscall.EFBIG) {
		kind, hint = fault.Exhausted, "Make room on the disk of the audit log, and run again."
	}
	if errors.Is(cause, io.ErrUnexpectedEOF) || errors.Is(cause, io.EOF) {
		kind = fault.Inconsistent
	}
	return &fault.Error{Kind: kind, Op: "use audit log", Subject: subject(dir), Problem: problem, Hint: hint, Cause: cause}
}

func (d *Directory) tampered(problem string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "use audit log", Subject: subject(d.dir), Problem: problem,
		Hint: "It was changed by something other than this provider. Look into it with `terraform-provider-hsm audit verify`, and put the log back as it was; " +
			"where that says that the file tree is wrong, remove that one, it is made anew. As long as it is like this nothing is changed on the token.",
	}
}
