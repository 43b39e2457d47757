package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
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
//	lock                        held by whoever writes
//
// A file is only ever written at its end, by one process at a time. A kill leaves a line
// without its end; whoever comes next sees that the writer is gone, as the lock is free,
// takes the torn text away and puts a record of that in its place: nobody was told that it
// was stored.
type Directory struct {
	dir  string
	torn func(size int64, digest string) ([]byte, error)
	lock *os.File

	queue   sync.Mutex // guards waiting and leading
	waiting []*waiter
	leading bool

	mu      sync.Mutex // guards what follows
	segment *os.File   // the last one
	first   int64      // index of its first line
	end     int64      // its length in bytes, as far as it is known
	size    int64      // lines in all segments, as far as they are known
	tree    *os.File
	broken  error // nothing can be appended any more

	hashing sync.RWMutex // guards what follows; written only with mu held
	base    int64        // how many hashes of the tree are in its file
	fresh   []tlog.Hash  // and those that follow
}

// waiter is a line on its way.
type waiter struct {
	line  []byte
	index int64
	err   error
	done  chan struct{}
}

// segmentBytes is how long a segment grows before the next one is begun.
const segmentBytes = 16 << 20

const (
	segmentPrefix = "records-"
	segmentSuffix = ".jsonl"
	treeName      = "tree"
	notesName     = "checkpoints"
	newestName    = "checkpoint"
	lockName      = "lock"
)

// OpenDirectory opens the log in a directory, which is made if need be, to write to it.
// torn makes the record that stands for the text that a killed process left, of a length and
// a SHA-256. A directory in which something is wrong is fault.Inconsistent.
func OpenDirectory(dir string, torn func(size int64, digest string) ([]byte, error)) (*Directory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, "The directory cannot be made.", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusable(dir, "The directory cannot be written to.", err)
	}
	d := &Directory{dir: dir, torn: torn, lock: lock}
	if err := d.locked(d.open); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// locked runs f while no other process writes, and none of this one.
func (d *Directory) locked(f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	if err := lockFile(d.lock); err != nil {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return err
		}
		return unusable(d.dir, "The log cannot be locked.", err)
	}
	defer func() { _ = unlockFile(d.lock) }()
	if err := d.same(d.lock, lockName); err != nil { // others would lock another file
		return err
	}
	return f()
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

// segments lists the indexes that the segments begin with, ascending.
func segments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unusable(dir, "The directory cannot be read.", err)
	}
	var firsts []int64
	for _, entry := range entries {
		digits, isSegment := strings.CutPrefix(entry.Name(), segmentPrefix)
		digits, isOne := strings.CutSuffix(digits, segmentSuffix)
		first, err := strconv.ParseInt(digits, 10, 64)
		if isSegment && isOne && err == nil && segmentName(first) == entry.Name() {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

func segmentName(first int64) string {
	return fmt.Sprintf("%s%012d%s", segmentPrefix, first, segmentSuffix)
}

func (d *Directory) open() error {
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	if d.tree, err = os.OpenFile(filepath.Join(d.dir, treeName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return unusable(d.dir, "The tree cannot be opened.", err)
	}
	switch {
	case len(firsts) > 0 && firsts[0] != 0:
		return d.tampered(fmt.Sprintf("The first records are missing: it begins with record %d.", firsts[0]))
	case len(firsts) == 0:
		newest, err := newestCheckpoint(d.dir)
		if err != nil {
			return err
		}
		if newest > 0 {
			return d.tampered("The records are gone; there is a checkpoint of " + strconv.FormatInt(newest, 10) + ".")
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
	if err := d.catchUp(); err != nil {
		return err
	}
	if known > d.size {
		return d.tampered(fmt.Sprintf("Records are missing: there are %d, and hashes of %d.", d.size, known))
	}
	newest, err := newestCheckpoint(d.dir)
	if err == nil && newest > d.size {
		return d.tampered(fmt.Sprintf("Records are missing: there are %d, and a checkpoint of %d.", d.size, newest))
	}
	return err
}

// begin makes the segment of a first index.
func (d *Directory) begin(first int64) error {
	file, err := os.OpenFile(filepath.Join(d.dir, segmentName(first)), os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unusable(d.dir, "The file for the next records cannot be made.", err)
	}
	if err := syncDirectory(d.dir); err != nil {
		_ = file.Close()
		return unusable(d.dir, "The directory cannot be made durable.", err)
	}
	if d.segment != nil {
		_ = d.segment.Close()
	}
	d.segment, d.first, d.size, d.end = file, first, first, 0
	return nil
}

func syncDirectory(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return file.Sync()
}

// hashed returns of how many lines the tree has the hashes, and cuts off the remains of
// another one's.
func (d *Directory) hashed() (int64, error) {
	info, err := d.tree.Stat()
	if err != nil {
		return 0, unusable(d.dir, "The tree cannot be looked at.", err)
	}
	n := int64(0)
	for hashes := info.Size() / tlog.HashSize; tlog.StoredHashCount(n+1) <= hashes; {
		step := int64(1)
		for tlog.StoredHashCount(n+2*step) <= hashes {
			step *= 2
		}
		n += step
	}
	if whole := tlog.StoredHashCount(n) * tlog.HashSize; whole != info.Size() {
		if err := d.tree.Truncate(whole); err != nil {
			return 0, unusable(d.dir, "The tree cannot be put right.", err)
		}
	}
	return n, nil
}

// rehash computes the hashes of all segments but the last, from a line on.
func (d *Directory) rehash(from int64) error {
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	var failed error
	err = readLines(d.dir, firsts[:len(firsts)-1], from, func(index int64, line []byte) bool {
		failed = d.hash(index, [][]byte{line})
		return failed == nil
	})
	return errors.Join(err, failed)
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
	if err := d.compare(lines); err != nil {
		return err
	}
	d.size, d.end = d.size+int64(len(lines)), d.end+int64(whole)
	if whole == len(text) {
		return nil
	}
	sum := sha256.Sum256(text[whole:])
	if err := d.segment.Truncate(d.end); err != nil {
		return unusable(d.dir, "A torn record cannot be taken away.", err)
	}
	line, err := d.torn(int64(len(text)-whole), hex.EncodeToString(sum[:]))
	if err != nil {
		return err
	}
	return d.write([][]byte{line})
}

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
			return d.tampered(fmt.Sprintf("Record %d is not the one that was written.", index))
		}
	}
	return nil
}

// hash computes the hashes of lines, the first of which has the index. They go to the file
// when there are many, or with a checkpoint: written with every record they would make the
// disk as busy as the records do, and whoever finds some missing can compute them.
func (d *Directory) hash(index int64, lines [][]byte) error {
	for n, line := range lines {
		hashes, err := tlog.StoredHashes(index+int64(n), line, d)
		if err != nil {
			return unusable(d.dir, "The tree cannot be read.", err)
		}
		d.hashing.Lock()
		d.fresh = append(d.fresh, hashes...)
		d.hashing.Unlock()
	}
	if len(d.fresh) >= 8192 {
		d.flush()
	}
	return nil
}

// flush writes the hashes to the file. Those that cannot be written are kept. The lock is
// held.
func (d *Directory) flush() {
	d.hashing.Lock()
	defer d.hashing.Unlock()
	text := make([]byte, 0, len(d.fresh)*tlog.HashSize)
	for _, h := range d.fresh {
		text = append(text, h[:]...)
	}
	if _, err := d.tree.WriteAt(text, d.base*tlog.HashSize); err == nil {
		d.base, d.fresh = d.base+int64(len(d.fresh)), nil
	}
}

// Append stores a line, see Store. Lines that come while others are being written are
// written, and made durable, together.
func (d *Directory) Append(line []byte) (int64, error) {
	w := &waiter{line: line, done: make(chan struct{})}
	d.queue.Lock()
	d.waiting = append(d.waiting, w)
	lead := !d.leading
	d.leading = true
	d.queue.Unlock()
	if lead {
		d.lead()
	}
	<-w.done
	return w.index, w.err
}

// lead writes what is waiting until nothing is. After its own it leaves that to a goroutine,
// so that its caller need not write everybody else's.
func (d *Directory) lead() {
	d.queue.Lock()
	batch := d.waiting
	d.waiting = nil
	if len(batch) == 0 {
		d.leading = false
	}
	d.queue.Unlock()
	if len(batch) == 0 {
		return
	}
	d.commit(batch)
	for _, w := range batch {
		close(w.done)
	}
	go func() {
		runtime.Gosched() // lets those come first who were just told, and have the next line ready
		d.lead()
	}()
}

func (d *Directory) commit(batch []*waiter) {
	lines := make([][]byte, len(batch))
	for n, w := range batch {
		lines[n] = w.line
	}
	var first int64
	err := d.locked(func() error {
		if err := d.catchUp(); err != nil {
			return err
		}
		if d.end >= segmentBytes {
			if err := d.begin(d.size); err != nil {
				return err
			}
		}
		first = d.size
		return d.write(lines)
	})
	for n, w := range batch {
		w.index, w.err = first+int64(n), err
	}
}

// write appends lines to the segment, durably. What cannot be written whole is taken back;
// what cannot be taken back either, or may or may not be durable, ends all writing.
func (d *Directory) write(lines [][]byte) error {
	text := append(bytes.Join(lines, []byte("\n")), '\n')
	_, err := d.segment.Write(text)
	if err == nil {
		if err = d.segment.Sync(); err == nil {
			if err := d.hash(d.size, lines); err != nil {
				d.broken = err // the lines are there; whoever opens the log next computes what is missing
			}
			d.size, d.end = d.size+int64(len(lines)), d.end+int64(len(text))
			return nil
		}
	}
	if undo := errors.Join(d.segment.Truncate(d.end), d.segment.Sync()); undo != nil {
		d.broken = &fault.Error{
			Kind: fault.Unavailable, Op: "write audit record", Subject: subject(d.dir), Problem: "It is not known whether the record was written.",
			Hint: "See to the disk, and run again.", Cause: errors.Join(err, undo),
		}
		return d.broken
	}
	return unusable(d.dir, "The record could not be written; nothing was done.", err)
}

// Size returns how many lines are known, see Store.
func (d *Directory) Size() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size
}

// Lines reads lines, see Store.
func (d *Directory) Lines(from int64, f func(index int64, line []byte) bool) error {
	firsts, err := segments(d.dir)
	if err != nil {
		return err
	}
	return readLines(d.dir, firsts, from, f)
}

// readLines reads the whole lines of segments. Those that do not follow each other are an
// error.
func readLines(dir string, firsts []int64, from int64, f func(index int64, line []byte) bool) error {
	for n, first := range firsts {
		if n+1 < len(firsts) && firsts[n+1] <= from {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, segmentName(first)))
		if err != nil {
			return unusable(dir, "The records cannot be read.", err)
		}
		index := first
		for {
			line, rest, whole := bytes.Cut(text, []byte("\n"))
			if !whole {
				break
			}
			if index >= from && !f(index, line) {
				return nil
			}
			text = rest
			index++
		}
		if n+1 < len(firsts) && firsts[n+1] != index {
			return &fault.Error{
				Kind: fault.Inconsistent, Op: "read audit log", Subject: subject(dir),
				Problem: fmt.Sprintf("Record %d is the last before record %d: some are missing, or there are too many.", index-1, firsts[n+1]),
			}
		}
	}
	return nil
}

// ReadHashes reads hashes of the tree, see Store.
func (d *Directory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	d.hashing.RLock()
	defer d.hashing.RUnlock()
	hashes := make([]tlog.Hash, len(indexes))
	for n, i := range indexes {
		if i >= d.base {
			if i-d.base >= int64(len(d.fresh)) {
				return nil, unusable(d.dir, fmt.Sprintf("The tree has no hash %d.", i), nil)
			}
			hashes[n] = d.fresh[i-d.base]
			continue
		}
		if _, err := d.tree.ReadAt(hashes[n][:], i*tlog.HashSize); err != nil {
			return nil, unusable(d.dir, "The tree cannot be read.", err)
		}
	}
	return hashes, nil
}

// Close lets go of the files. Whoever is still waiting is told so.
func (d *Directory) Close() error {
	if d.segment != nil {
		_ = d.locked(func() error { d.flush(); return nil }) // whoever opens it next can do that
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = &fault.Error{Kind: fault.Internal, Op: "write audit record", Subject: subject(d.dir), Problem: "The log was closed."}
	for _, file := range []*os.File{d.segment, d.tree, d.lock} {
		if file != nil {
			_ = file.Close()
		}
	}
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
		Hint: "It was changed by something other than this provider. Look into it with `terraform-provider-hsm audit verify`, and put the log back as it was. " +
			"As long as it is like this nothing is changed on the token.",
	}
}
