package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// delivery is what a mirror's goroutine has open.
type delivery struct {
	*Mirror
	next int64  // the record to be delivered next
	last string // the SHA-256 of the one before
	tail *audit.Tail
	to   sink
}

// position is what a mirror remembers, in a file of its own.
type position struct {
	Next int64  `json:"next"`
	Last string `json:"last,omitempty"` // SHA-256 of the record before, by which the log is known again
}

// once delivers some records, and reports whether it did. Only one process at a time does;
// the others leave it to that one, or to the next run.
func (d *delivery) once() (more bool, err error) {
	d.mu.Lock()
	size := d.size
	d.mu.Unlock()
	lock, err := os.OpenFile(d.base+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }()
	if ours, err := audit.TryLock(lock); err != nil || !ours {
		return false, err
	}
	if err := d.remembered(); err != nil {
		return false, err
	}
	if err := d.recognise(); err != nil || d.next >= size {
		return false, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, sendWithin)
	defer cancel()
	entries, err := d.read(size)
	if err == nil && len(entries) > 0 {
		err = d.send(ctx, entries)
	}
	if err != nil {
		d.end()
		return false, err
	}
	if n := len(entries); n > 0 {
		d.next, d.last = d.next+int64(n), digest(entries[n-1].line)
	}
	return len(entries) > 0, d.remember()
}

// recognise makes sure that the log is the one whose records were delivered. Another one, that
// was begun or put back in its place, is delivered from its first record on.
func (d *delivery) recognise() error {
	if d.tail != nil && d.tail.Index() == d.next {
		return nil
	}
	if d.tail != nil { // another process was at it since
		_ = d.tail.Close()
		d.tail = nil
	}
	if d.next == 0 {
		return nil
	}
	tail, err := audit.OpenTail(d.dir, d.next-1)
	var lines [][]byte
	if err == nil {
		lines, err = tail.Next(d.next, 1)
	}
	if err == nil && len(lines) == 1 && (d.last == "" || d.last == digest(lines[0])) {
		d.tail = tail
		return nil
	}
	if tail != nil {
		_ = tail.Close()
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	d.restarted(d.next)
	d.next, d.last = 0, ""
	return nil
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// read reads the next records.
func (d *delivery) read(size int64) ([]entry, error) {
	if d.tail == nil {
		var err error
		if d.tail, err = audit.OpenTail(d.dir, d.next); err != nil {
			d.tail = nil
			return nil, err
		}
	}
	lines, err := d.tail.Next(size, batchBytes)
	entries := make([]entry, len(lines))
	for n, line := range lines {
		entries[n] = entry{d.next + int64(n), line}
	}
	return entries, err
}

func (d *delivery) send(ctx context.Context, entries []entry) error {
	if d.to == nil {
		to, err := d.open(ctx)
		if err != nil {
			return err
		}
		d.to = to
	}
	return d.to.send(ctx, entries)
}

func (d *delivery) end() {
	if d.tail != nil {
		_ = d.tail.Close()
	}
	if d.to != nil {
		d.to.close()
	}
	d.tail, d.to = nil, nil
}

func (d *delivery) remembered() error {
	d.next, d.last = 0, ""
	text, err := os.ReadFile(d.base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p position
	if err == nil && json.Unmarshal(text, &p) == nil && p.Next >= 0 { // otherwise records come twice, and none is left out
		d.next, d.last = p.Next, p.Last
	}
	return err
}

func (d *delivery) remember() error {
	text, err := json.Marshal(position{d.next, d.last})
	var file *os.File
	if err == nil {
		file, err = os.OpenFile(d.base+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	if err == nil {
		_, err = file.Write(append(text, '\n'))
		err = errors.Join(err, file.Sync(), file.Close()) // renamed before, it might be empty after a power failure
	}
	if err == nil {
		err = os.Rename(d.base+".new", d.base)
	}
	return err
}
