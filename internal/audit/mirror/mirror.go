package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// Config says what is mirrored, and where to.
type Config struct {
	Directory string // of the log
	// Either a URL of a syslog receiver (unix:///dev/log, udp://host:514, tcp://host:601,
	// tls://host:6514), or a file.
	Syslog, File string
	// Authorities are the certificates that sign the receiver's, as PEM, read from a file of
	// this name; empty for those of the system.
	Authorities string
}

// Mirror hands on records to one place.
type Mirror struct {
	name string // of the place, for people
	dir  string
	base string // of the files that it keeps there
	open func(ctx context.Context) (sink, error)

	start   sync.Once
	poked   chan struct{}
	closing chan struct{}
	done    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex // guards what follows
	size   int64      // records that may be handed on
	warned string
}

var _ audit.Mirror = (*Mirror)(nil)

// entry is a record on its way.
type entry struct {
	index int64
	line  []byte
}

// sink is where records go. An error leaves it open whether any of them arrived.
type sink interface {
	send(ctx context.Context, entries []entry) error
	close()
}

// New returns a mirror. It does no I/O.
func New(c Config) *Mirror {
	m := &Mirror{name: c.Syslog, dir: c.Directory, poked: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{})}
	m.open = func(ctx context.Context) (sink, error) { return dial(ctx, c.Syslog, c.Authorities) }
	if c.File != "" {
		m.name, m.open = c.File, func(context.Context) (sink, error) { return file{c.File, c.Directory}, nil }
	}
	sum := sha256.Sum256([]byte(m.name))
	m.base = filepath.Join(c.Directory, "mirror-"+hex.EncodeToString(sum[:6]))
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Poke tells that there are so many records, see audit.Mirror.
func (m *Mirror) Poke(size int64) {
	m.mu.Lock()
	m.size = max(m.size, size)
	m.mu.Unlock()
	m.start.Do(func() { go m.run() })
	select {
	case m.poked <- struct{}{}:
	default: // it looks again in any case
	}
}

// Warnings lists what an operator should know, see audit.Mirror.
func (m *Mirror) Warnings() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.warned == "" {
		return nil
	}
	return []string{m.warned}
}

// Close delivers what it can in the time that is given, see audit.Mirror.
func (m *Mirror) Close(ctx context.Context) {
	m.start.Do(func() { close(m.done) }) // it never ran
	close(m.closing)
	select {
	case <-m.done:
	case <-ctx.Done():
	}
	m.cancel()
	select {
	case <-m.done:
	case <-time.After(letGo): // a file system that does not answer ends with the process
	}
}

// How much is sent at a time, how long that may take, and how long a place that cannot be
// reached is left alone.
const (
	batchBytes = 256 << 10
	sendWithin = 5 * time.Second
	firstPause = 250 * time.Millisecond
	longPause  = 30 * time.Second
	letGo      = 300 * time.Millisecond // after whoever sends was told to end
)

// run delivers until the mirror is closed.
func (m *Mirror) run() {
	defer close(m.done)
	d := &delivery{Mirror: m}
	defer d.end()
	wait := firstPause
	for {
		more, err := d.once()
		switch {
		case err != nil:
			m.warn(d.next, err)
			if !m.pause(wait) {
				return
			}
			wait = min(2*wait, longPause)
			continue
		case more:
			wait = firstPause
			continue
		}
		select {
		case <-m.poked:
		case <-m.closing:
			for more = true; more && err == nil; { // what came since it last looked
				more, err = d.once()
			}
			return
		}
	}
}

// pause waits before another try; it returns false if there is to be none.
func (m *Mirror) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-m.closing:
		return false
	}
}

func (m *Mirror) warn(next int64, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.warned == "" {
		m.warned = fmt.Sprintf("The audit log's mirror %s does not take its records: %v. It has those before record %d; this run or a later one delivers the others. "+
			"The log itself is not affected.", m.name, err, next)
	}
}

// restarted tells that the log is another one than the one of which so many records came here.
func (m *Mirror) restarted(delivered int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.warned == "" {
		m.warned = fmt.Sprintf("The audit log is not the one of which its mirror %s was given %d records: it was begun anew, or other records are in its place. The mirror is given all of its records, from the first one on. "+
			"If you do not know why, look into it with `terraform-provider-hsm audit verify`.", m.name, delivered)
	}
}
