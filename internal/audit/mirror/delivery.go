package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// delivery is what a mirror's goroutine has open.
type delivery struct {
	*Mirror
	next int64 // the record to be delivered next
	tail *audit.Tail
	to   sink
}

// position is what a mirror remembers, in a file of its own.
type position struct {
	Next int64 `json:"next"`
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
	if d.next, err = d.remembered(); err != nil || d.next >= size {
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
	d.next += int64(len(entries))
	return len(entries) > 0, d.remember()
}

// read reads the next records.
func (d *delivery) read(size int64) ([]entry, error) {
	if d.tail == nil || d.tail.Index() != d.next { // another process was at it since
		if d.tail != nil {
			_ = d.tail.Close()
		}
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

func (d *delivery) remembered() (int64, error) {
	text, err := os.ReadFile(d.base)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var p position
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p.Next, err
}

func (d *delivery) remember() error {
	text, err := json.Marshal(position{d.next})
	if err == nil {
		err = os.WriteFile(d.base+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(d.base+".new", d.base)
	}
	return err
}
