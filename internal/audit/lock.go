package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// patience is how long a log that another process has locked is waited for. That one writes,
// which takes a moment, or has stopped.
type patience struct {
	noticed time.Duration                            // until somebody is told
	longest time.Duration                            // until it is given up
	waiting func(ctx context.Context, holder string) // is told by whom the log is locked, in words; may be nil
}

const (
	noticed = 3 * time.Second
	longest = time.Minute
)

// lock keeps other processes from writing, and other goroutines of this one.
type lock struct {
	patience
	file *os.File
	turn chan struct{} // has room for one: whoever holds the lock, or waits for it
	vain atomic.Bool   // it was waited for as long as can be, and is not free since
}

func newLock(file *os.File, p patience) *lock {
	return &lock{patience: p, file: file, turn: make(chan struct{}, 1)}
}

// take waits for the lock, until the context ends or patience does.
func (l *lock) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		free, err := TryLock(l.file)
		if free {
			return nil
		}
		if err != nil {
			<-l.turn
			return err
		}
		return l.wait(ctx, true)
	default:
		return l.wait(ctx, false)
	}
}

// wait is take where the lock is not free, with or without the turn.
func (l *lock) wait(ctx context.Context, turn bool) error {
	if !turn && l.vain.Load() {
		return l.held(context.DeadlineExceeded)
	}
	limited, cancel := context.WithTimeout(ctx, l.longest)
	defer cancel()
	if l.waiting != nil {
		defer time.AfterFunc(l.noticed, func() { l.waiting(ctx, holder(l.file)) }).Stop()
	}
	if !turn {
		select {
		case l.turn <- struct{}{}:
		case <-limited.Done():
			return l.held(limited.Err())
		}
	}
	got, given := make(chan error), make(chan struct{})
	go func() { // nothing ends a wait in the system but the lock
		err := lockFile(l.file)
		select {
		case got <- err:
		case <-given:
			if err == nil {
				_ = unlockFile(l.file)
			}
			l.vain.Store(false)
			<-l.turn
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			<-l.turn
		}
		return err
	case <-limited.Done():
		l.vain.Store(ctx.Err() == nil)
		close(given)
		return l.held(limited.Err())
	}
}

func (l *lock) leave() {
	_ = unlockFile(l.file)
	<-l.turn
}

// held is the fault of a log that another process does not let go of.
func (l *lock) held(cause error) error {
	problem := fmt.Sprintf("It is locked by %s: it was not waited for any longer.", holder(l.file))
	return &fault.Error{
		Kind: fault.Unavailable, Op: "lock audit log", Subject: "audit log", Problem: problem, Cause: cause,
		Hint: "Writing takes a moment: a process that holds the lock for longer has stopped, or its disk has. Find out which one it is, with `fuser` on the file lock in the log's directory, " +
			"let it go on or end it, and run again. As long as it is like this nothing is changed on the token.",
	}
}

// waitedInVain reports whether an error is that of a log that was waited for as long as can be.
func waitedInVain(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Op == "lock audit log" && errors.Is(err, context.DeadlineExceeded)
}

// locked runs f while no other process writes, and none of this one.
func (d *Directory) locked(ctx context.Context, f func() error) error {
	if err := d.whyBroken(); err != nil {
		return err
	}
	if d.looking && d.lock == nil { // it is lost, and whoever writes makes it anew
		return f()
	}
	if err := d.lock.take(ctx); err != nil {
		if _, ok := errors.AsType[*fault.Error](err); ok {
			return err
		}
		return unusable(d.dir, "The log cannot be locked.", err)
	}
	defer d.lock.leave()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	if err := d.same(d.lock.file, lockName); err != nil { // others would lock another file
		return err
	}
	return f()
}

func (d *Directory) whyBroken() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}
