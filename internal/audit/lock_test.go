package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// hold locks the log as another process does, and says how to let it go.
func (d *desk) hold() (release func()) {
	d.tb.Helper()
	file, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	if free, err := audit.TryLock(file); err != nil || !free {
		d.tb.Fatalf("locked: %v, %v", free, err)
	}
	return func() { _ = file.Close() }
}

// heldHere is what is said of a lock that this process has.
func heldHere() string {
	if runtime.GOOS != "linux" {
		return "another process"
	}
	return fmt.Sprintf("process %d (", os.Getpid())
}

// long is for what ends before by something else, or the test fails.
const long = time.Hour

// TestLockGivenUp: a log that another process does not let go of is waited for so long, somebody
// is told by whom it is held, and nothing is written. When it is free again all goes on.
func TestLockGivenUp(t *testing.T) {
	d := newDesk(t)
	d.fill(3)
	told := make(chan string, 100)
	waiting := func(_ context.Context, holder string) { told <- holder }
	line, err := torn(1, "ab")
	if err != nil {
		t.Fatal(err)
	}
	store, err := audit.OpenImpatiently(t.Context(), d.dir, torn, 200*time.Millisecond, waiting)
	if err != nil {
		t.Fatal(err)
	}
	release := d.hold()
	for range 2 { // the second does not wait
		if _, err := store.Append(t.Context(), line); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "It is locked by "+heldHere()) {
			t.Errorf("append: %v", err)
		}
	}
	if holder := <-told; !strings.HasPrefix(holder, heldHere()) {
		t.Errorf("held by %q", holder)
	}
	if _, err := audit.OpenImpatiently(t.Context(), d.dir, torn, time.Millisecond, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("open: %v", err)
	}
	release()
	for { // until the one that waited in vain has seen it
		index, err := store.Append(t.Context(), line)
		if err == nil && index == 6 {
			break
		}
		if !fault.Is(err, fault.Unavailable) {
			t.Fatalf("record %d, %v", index, err)
		}
	}
	if err := store.Close(t.Context()); err != nil || len(d.lines()) != 7 {
		t.Errorf("%d records, %v", len(d.lines()), err)
	}
}

// TestLockInterrupted: who is interrupted waits no longer, and those who are not get their turn.
func TestLockInterrupted(t *testing.T) {
	d := newDesk(t)
	d.fill(3)
	line, err := torn(1, "ab")
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan string, 100)
	store, err := audit.OpenImpatiently(t.Context(), d.dir, torn, long, func(_ context.Context, holder string) { waiting <- holder })
	if err != nil {
		t.Fatal(err)
	}
	release := d.hold()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupted := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := store.Append(ctx, line)
			interrupted <- err
		}()
	}
	<-waiting
	interrupt()
	for range 2 {
		if err := <-interrupted; !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	}
	if len(d.lines()) != 6 {
		t.Errorf("%d records", len(d.lines()))
	}
	written := make(chan error, 1)
	go func() {
		_, err := store.Append(t.Context(), line)
		written <- err
	}()
	release()
	if err := errors.Join(<-written, store.Close(t.Context())); err != nil || len(d.lines()) != 7 {
		t.Errorf("%d records, %v", len(d.lines()), err)
	}
}

// TestLockHeldFromTheBegin: nothing is changed under a log that cannot be opened, and who asks
// again need not wait again.
func TestLockHeldFromTheBegin(t *testing.T) {
	d := newDesk(t)
	d.fill(3)
	defer d.hold()()
	opened := 0
	c := d.log().Config
	c.Open = func(ctx context.Context, torn func(int64, string) ([]byte, error)) (audit.Store, error) {
		opened++
		return audit.OpenImpatiently(ctx, d.dir, torn, time.Millisecond, nil)
	}
	l := audit.New(c)
	for range 3 {
		if _, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/orders"}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "It is locked by "+heldHere()) {
			t.Errorf("the next change: %v", err)
		}
	}
	if err := l.Close(t.Context()); err != nil || opened != 1 {
		t.Errorf("%v, opened %d times", err, opened)
	}
}
