package audit

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// waiter is a line on its way.
type waiter struct {
	ctx   context.Context //nolint:containedctx // of the caller, who waits
	line  []byte
	index int64
	err   error
	soon  bool // it need not be durable yet
	done  chan struct{}
}

// Append stores a line, see Store. Lines that come while others are being written are
// written, and made durable, together.
func (d *Directory) Append(ctx context.Context, line []byte) (int64, error) {
	return d.queued(&waiter{ctx: ctx, line: line, done: make(chan struct{})})
}

// AppendSoon stores a line that becomes durable with others, see Store.
func (d *Directory) AppendSoon(ctx context.Context, line []byte) (int64, error) {
	return d.queued(&waiter{ctx: ctx, line: line, soon: true, done: make(chan struct{})})
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
	select {
	case <-w.done:
	case <-w.ctx.Done():
		if d.withdraw(w) {
			return 0, d.lock.held(w.ctx.Err())
		}
		<-w.done // it is being written, or given up
	}
	return w.index, w.err
}

// withdraw takes back a line that nobody has begun to write.
func (d *Directory) withdraw(w *waiter) bool {
	d.queue.Lock()
	defer d.queue.Unlock()
	n := slices.Index(d.waiting, w)
	if n >= 0 {
		d.waiting = slices.Delete(d.waiting, n, n+1)
	}
	return n >= 0
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
	ctx, stop := wanted(batch)
	defer stop()
	var first int64
	err := d.locked(ctx, func() error {
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

// wanted is a context that ends when those of all waiters have.
func wanted(batch []*waiter) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var left atomic.Int64
	left.Store(int64(len(batch)))
	stops := make([]func() bool, len(batch))
	for n, w := range batch {
		stops[n] = context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
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
