package audit

import (
	"bytes"
	"errors"
	"runtime"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// waiter is a line on its way.
type waiter struct {
	line  []byte
	index int64
	err   error
	soon  bool // it need not be durable yet
	done  chan struct{}
}

// Append stores a line, see Store. Lines that come while others are being written are
// written, and made durable, together.
func (d *Directory) Append(line []byte) (int64, error) {
	return d.queued(&waiter{line: line, done: make(chan struct{})})
}

// AppendSoon stores a line that becomes durable with others, see Store.
func (d *Directory) AppendSoon(line []byte) (int64, error) {
	return d.queued(&waiter{line: line, soon: true, done: make(chan struct{})})
}

func (d *Directory) queued(w *waiter) (int64, error) {
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
	lines, soon := make([][]byte, len(batch)), true
	for n, w := range batch {
		lines[n], soon = w.line, soon && w.soon
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
		return d.write(lines, soon)
	})
	for n, w := range batch {
		w.index, w.err = first+int64(n), err
	}
}

// write appends lines to the segment, durably unless that comes soon. What cannot be written whole is taken back;
// what cannot be taken back either, or may or may not be durable, ends all writing.
func (d *Directory) write(lines [][]byte, soon bool) error {
	text := append(bytes.Join(lines, []byte("\n")), '\n')
	_, err := d.segment.Write(text)
	if err == nil {
		if !soon {
			err = d.segment.Sync()
		}
		if err == nil {
			d.undurable = soon
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
