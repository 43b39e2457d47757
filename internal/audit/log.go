package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Config is what a Log needs.
type Config struct {
	// Open opens the store; torn makes the record that stands for a torn one. It is called
	// when something is first recorded.
	Open func(ctx context.Context, torn func(size int64, digest string) ([]byte, error)) (Store, error)
	// Look opens what there is, to be looked at before anything is written; fault.NotFound is
	// none. It may be nil.
	Look func() (Reader, error)
	// Inspect is Open for Examine: nothing is made, mended or written. A log that there is
	// not yet has no records.
	Inspect func(ctx context.Context) (Store, error)
	// Signer signs the checkpoints. It may be nil where nothing is changed: nothing is signed then.
	Signer Signer
	// Serial tells which token it is; it needs no login.
	Serial func(ctx context.Context) (string, error)
	// Subjects tells of all that there is on the token: of each subject its whole history as
	// steps, with its head, and as the time that of its last entry. By it a log begins, and
	// one that is not this token's, or not whole, is told. It may be nil.
	Subjects func(ctx context.Context) ([]Event, error)
	// Own is the subject of the key that signs.
	Own string

	// Mirrors are given what is recorded.
	Mirrors []Mirror

	// Running reports whether the process that wrote an intent may still be at work.
	Running func(Event) bool

	Environment, Actor, Provider, Run, Host string
	PID                                     int
	Now                                     func() time.Time
}

// Mirror is given what was recorded, and nobody waits for it.
type Mirror interface {
	// Poke tells that there are so many records that are durable. It does not block.
	Poke(size int64)
	// Warnings lists what an operator should know, in whole sentences.
	Warnings() []string
	// Close delivers what it can until the context ends, and lets go. It is called once.
	Close(ctx context.Context)
}

// Log records what is done. Its methods may be called from several goroutines.
type Log struct {
	Config

	preparing sync.Mutex  // one goroutine prepares, the others wait for it; guards what follows
	trusted   bool        // the log was found as it was left, and is the token's
	closed    int         // how many intents of others were closed
	renewed   bool        // the key that signs was lost, and was made anew
	accepted  string      // why an operator accepts what is not as it was; set before anything else
	ready     atomic.Bool // the key is there, and the log goes with the newest checkpoint
	signs     atomic.Bool // the same, of a process that has changed nothing

	opening sync.Mutex // guards what follows
	store   Store      // nil until something is recorded
	serial  string
	stuck   error // another process does not let go of the store
	moved   bool  // the log was another token's, which was accepted

	signing sync.Mutex // guards what follows
	signed  Checkpoint // the newest one that this process has made or checked
	begun   bool       // this process has recorded something
	barred  bool       // a login was refused to it

	missing sync.Mutex // guards what follows; held while they are recorded
	missed  []Event    // outcomes that could not be recorded

	mu      sync.Mutex // guards what follows, for a moment
	warned  []string
	noted   map[string]bool // refusals and imports that were recorded
	refused error           // why nothing is changed in this process
}

// New returns a Log. It does no I/O.
func New(c Config) *Log { return &Log{Config: c, noted: map[string]bool{}} }

// every is how many records a checkpoint has to come after at the latest. A log that has
// unsigned records without one takes no more.
const (
	every    = 1000
	unsigned = 3 * every
)

// Operation is something that was begun; its outcome has to be recorded.
type Operation struct {
	log   *Log
	event Event
}

// Begin records an intent, durably on return. If it cannot, nothing may be done.
func (l *Log) Begin(ctx context.Context, e Event) (*Operation, error) {
	if err := l.Prepare(ctx); err != nil {
		return nil, err
	}
	return l.begin(ctx, e)
}

// BeginUnprepared is Begin for what Prepare itself does: it makes the key that the log is
// going to be signed by.
func (l *Log) BeginUnprepared(ctx context.Context, e Event) (*Operation, error) {
	if _, err := l.open(ctx); err != nil {
		return nil, err
	}
	return l.begin(ctx, e)
}

func (l *Log) begin(ctx context.Context, e Event) (*Operation, error) {
	if err := l.recover(ctx); err != nil {
		return nil, err
	}
	e.Phase, e.ID = Intent, random()
	if err := l.append(ctx, e); err != nil {
		return nil, err
	}
	o := &Operation{l, e}
	if err := l.bound(ctx); err != nil { // nothing was done
		o.End(ctx, err)
		return nil, err
	}
	return o, nil
}

// bound signs, and refuses to go on where that fails, before there are too many records
// without a checkpoint. Other runs may have written most of them, and signed them since.
func (l *Log) bound(ctx context.Context) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	err := l.signLocked(ctx, unsigned)
	if err == nil || fault.Is(err, fault.Inconsistent) {
		return err
	}
	return &fault.Error{
		Kind: fault.Unavailable, Op: "record intent", Subject: "audit log", Problem: fmt.Sprintf("More than %d records are not covered by a checkpoint, as none could be signed.", unsigned),
		Hint: "Find out why the audit key does not sign, and run again.", Cause: err,
	}
}

// End records the outcome. It is durable with the next intent, and at the end of the run:
// lost with the host before, it leaves an intent that a later run closes. What was done is
// done: if it cannot be recorded now, it is before anything else is, and an operator is told.
func (o *Operation) End(ctx context.Context, err error) {
	e := o.event
	e.Phase, e.Failure = Outcome, failure(err)
	if err := o.log.append(ctx, e); err != nil {
		o.log.missing.Lock()
		o.log.missed = append(o.log.missed, e)
		o.log.missing.Unlock()
		o.log.mu.Lock()
		defer o.log.mu.Unlock()
		o.log.warned = append(o.log.warned, fmt.Sprintf("What came of an operation on %s could not be recorded in the audit log: %v. Nothing more is changed until it can.", e.Subject, err))
		return
	}
	o.log.sign(ctx, every)
}

// Note records something that changes nothing on the token, durably on return.
func (l *Log) Note(ctx context.Context, e Event) error {
	if _, err := l.open(ctx); err != nil {
		return err
	}
	if err := l.recover(ctx); err != nil {
		return err
	}
	e.Phase, e.ID = Notice, random()
	if err := l.append(ctx, e); err != nil {
		return err
	}
	l.sign(ctx, every)
	return nil
}

// Notable reports whether an error is a refusal that belongs into the log: not what nobody
// was kept from, as a mistake in a configuration.
func Notable(err error) bool {
	switch fault.KindOf(err) {
	case fault.Protected, fault.Environment, fault.Conflict, fault.Exists, fault.Denied, fault.Inconsistent:
		return true
	default:
		return false
	}
}

// Refused records, once in a process, that something was refused.
func (l *Log) Refused(ctx context.Context, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return nil
	}
	for f.Kind == fault.Denied { // a failed login is one, whatever it was for
		cause, ok := errors.AsType[*fault.Error](f.Cause)
		if !ok || cause.Kind != fault.Denied {
			break
		}
		f = cause
	}
	return l.once(f.Op+"\n"+f.Subject+"\n"+f.Problem, func() error {
		return l.Note(ctx, Event{Operation: f.Op, Subject: refusedSubject(f.Subject), Failure: failure(f)})
	})
}

// Imported records, once in a process, that something on the token was shown to whoever
// takes it under management. It changes nothing there.
func (l *Log) Imported(ctx context.Context, subject, reason string) error {
	return l.once("import\n"+subject+"\n"+reason, func() error {
		return l.Note(ctx, Event{Operation: "import", Subject: subject, Reason: reason})
	})
}

// once notes something that was not noted yet. What could not be written down may be noted
// again.
func (l *Log) once(what string, note func() error) error {
	l.mu.Lock()
	known := l.noted[what]
	l.noted[what] = true
	l.mu.Unlock()
	if known {
		return nil
	}
	err := note()
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.noted, what)
	}
	return err
}

// named finds what a fault is about.
var named = regexp.MustCompile(`^(key|API credential|access policy) "([^"]+)"`)

// refusedSubject is a fault's subject as a record has it: the token, if it is not about
// something that has a name there.
func refusedSubject(text string) string {
	found := named.FindStringSubmatch(text)
	if found == nil {
		return "token"
	}
	words := strings.Fields(found[1])
	return words[len(words)-1] + "/" + found[2]
}

// recover records the outcomes that could not be recorded earlier.
func (l *Log) recover(ctx context.Context) error {
	l.missing.Lock()
	defer l.missing.Unlock()
	for len(l.missed) > 0 {
		if err := l.append(ctx, l.missed[0]); err != nil {
			return err
		}
		l.missed = l.missed[1:]
	}
	return nil
}

// Warnings lists what an operator should know, in whole sentences.
func (l *Log) Warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	warned := append([]string(nil), l.warned...)
	for _, m := range l.Mirrors {
		warned = append(warned, m.Warnings()...)
	}
	return warned
}

// open opens the store.
func (l *Log) open(ctx context.Context) (Store, error) {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.store != nil || l.stuck != nil {
		return l.store, l.stuck
	}
	if err := l.identify(ctx); err != nil {
		return nil, err
	}
	store, err := l.Open(ctx, func(size int64, digest string) ([]byte, error) {
		e := Event{Operation: "close torn record", Subject: "log", Size: size, Digests: map[string]string{"torn": digest}, Phase: Notice, ID: random()}
		return l.complete(e).encode()
	})
	if waitedInVain(err) { // a thousand resources need not wait again
		l.stuck = err
	}
	if err != nil {
		return nil, err
	}
	l.store = store
	l.poke(store.Size()) // what earlier runs have left
	return store, nil
}

// identify finds out which token it is, and refuses a log of another one. A login that was
// refused is recorded too, and a token that is not there.
func (l *Log) identify(ctx context.Context) error {
	serial, err := l.Serial(ctx)
	if err != nil {
		serial = ""
	}
	l.serial = serial
	return l.belongs()
}

func (l *Log) complete(e Event) Event {
	e.Time, e.Actor, e.Environment, e.Serial = l.Now().UTC().Round(0), l.Actor, l.Environment, l.serial
	e.Provider, e.Run, e.Host, e.PID = l.Provider, l.Run, l.Host, l.PID
	return e
}

func (l *Log) append(ctx context.Context, e Event) error {
	store, err := l.open(ctx)
	if err != nil {
		return err
	}
	return l.appendTo(ctx, store, e)
}

func (l *Log) appendTo(ctx context.Context, store Store, e Event) error {
	line, err := l.complete(e).encode()
	if err != nil {
		return err
	}
	write := store.Append
	if e.Phase == Outcome {
		write, ctx = store.AppendSoon, context.WithoutCancel(ctx) // it is told what was done, also by a run that is to end
	}
	index, err := write(ctx, line)
	if err != nil {
		return err
	}
	if e.Phase != Outcome { // and with it those before
		l.poke(index + 1)
	}
	l.signing.Lock()
	defer l.signing.Unlock()
	l.begun = true
	l.barred = l.barred || e.Failure != nil && e.Failure.Kind == fault.Denied.String()
	return nil
}

func (l *Log) poke(size int64) {
	for _, m := range l.Mirrors {
		m.Poke(size)
	}
}

// sign makes a checkpoint if so many records are without.
func (l *Log) sign(ctx context.Context, least int64) {
	l.signing.Lock()
	defer l.signing.Unlock()
	if err := l.signLocked(ctx, least); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.warned = append(l.warned, fmt.Sprintf("The audit log's checkpoint could not be signed: %v. The next run tries again.", err))
	}
}

// signRest makes a checkpoint of what is not signed yet.
func (l *Log) signRest(ctx context.Context) error {
	l.signing.Lock()
	defer l.signing.Unlock()
	return l.signLocked(ctx, 1)
}

// signLocked makes a checkpoint if at least so many records are without, as far as this
// process knows. It signs no log that does not go on from the checkpoint that it knows: then
// nothing more is changed.
func (l *Log) signLocked(ctx context.Context, least int64) error {
	l.opening.Lock()
	store := l.store
	l.opening.Unlock()
	if store == nil || !l.ready.Load() && !l.signs.Load() {
		return nil
	}
	size := store.Size()
	if size-l.signed.Size < least {
		return nil
	}
	root, err := tlog.TreeHash(size, store)
	if err == nil {
		err = l.goesOn(store, size, root)
	}
	if fault.Is(err, fault.Inconsistent) {
		l.distrust(err)
	}
	if err != nil {
		return err
	}
	next := Checkpoint{Origin: Origin(l.Environment), Size: size, Root: root, Time: l.Now(), Run: l.Run}
	text, err := sign(ctx, l.Signer, next)
	if err != nil {
		return err
	}
	if err := store.AddCheckpoint(ctx, size, text); err != nil {
		return err
	}
	l.signed = next
	return nil
}

// goesOn makes sure that a tree is the one that the known checkpoint is of, and what was
// appended since: by a proof of consistency (RFC 6962, section 2.1.2), so that it does not
// matter whether the hashes are changed while they are read.
func (l *Log) goesOn(store Store, size int64, root tlog.Hash) error {
	if l.signed.Size == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(size, l.signed.Size, store)
	if err != nil {
		return err
	}
	if tlog.CheckTree(proof, size, root, l.signed.Size, l.signed.Root) != nil {
		return notThose(l.signed.Size)
	}
	return nil
}

// distrust refuses every further change of this process.
func (l *Log) distrust(err error) {
	l.ready.Store(false)
	l.signs.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = err
}

// Close signs what is not signed yet, and lets go of the store. Where nothing was changed a log
// that is not as it was left, or has no key yet, stays unsigned: the next change tells.
func (l *Log) Close(ctx context.Context) (err error) {
	l.signing.Lock()
	begun, barred := l.begun, l.barred
	l.signing.Unlock()
	l.mu.Lock()
	refused := l.refused != nil
	l.mu.Unlock()
	switch {
	case !begun || l.Signer == nil:
	case l.ready.Load():
		err = l.signRest(ctx)
	case !barred && !refused && l.trust(ctx) == nil: // a login that was refused is not tried again: tokens count
		_ = l.signRest(ctx)
	}
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.store != nil {
		err = errors.Join(err, l.store.Close(ctx))
		l.poke(l.store.Size())
	}
	ctx, cancel := context.WithTimeout(ctx, mirrorsLast)
	defer cancel()
	var mirrors sync.WaitGroup
	for _, m := range l.Mirrors {
		mirrors.Go(func() { m.Close(ctx) })
	}
	mirrors.Wait()
	return err
}

// mirrorsLast is how long mirrors are given at the end of a run.
const mirrorsLast = 300 * time.Millisecond

func failure(err error) *Failure {
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return &Failure{Kind: fault.Internal.String(), Problem: err.Error()}
	}
	return &Failure{Kind: f.Kind.String(), Problem: f.Problem}
}

func random() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails, it aborts the process
	return hex.EncodeToString(id[:])
}
