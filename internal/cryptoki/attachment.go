package cryptoki

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// attachment is everything that dies together when sessions are lost: the slot,
// the sessions, the handles, and what is remembered of objects.
type attachment struct {
	module  *module
	slot    uint
	info    tokenInfo // as of opening; the serial and label are those that must stay
	library libraryInfo
	profile Profile
	// turnstile keeps the writes of other processes apart from ours; nil where the
	// token does that by itself. Guarded by the module's gate.
	turnstile *turnstile

	ready bool // held is open and, if the token wants it, logged in; guarded by Token.mu
	held  uint // the session that keeps the login and owns session objects
	pool  *pool
	// Calls into the module may overlap, each in a session of the pool: all, or the use of keys.
	concurrent, parallelUse bool
	objects                 *memory
	reader                  reader
	mechanisms              map[uint]MechanismInfo // nil until asked for; guarded by the module's gate
	closed                  bool                   // guarded by the module's gate
	twofold                 atomic.Bool            // a handle denotes two objects, see welcome
}

// How often the module is started again while another process keeps the token
// from showing. SoftHSM needs it: 8 tries have always been enough.
const (
	startTries      = 8
	startTriesOther = 2
)

// attach returns the current attachment, opening the token if need be; with
// session it is logged in too, as far as the token wants that.
func (t *Token) attach(ctx context.Context, session bool) (*attachment, error) {
	if a, err := t.attached(session); a != nil || err != nil {
		return a, err
	}
	if err := t.opening.enter(ctx); err != nil {
		return nil, err
	}
	defer t.opening.leave()
	for try := 1; ; try++ {
		a, err := t.attached(session)
		if a != nil || err != nil {
			return a, err
		}
		a, again, err := t.open(ctx, session)
		if err == nil {
			return a, nil
		}
		if !again || try >= tries(a) {
			return nil, err
		}
		t.drop(a)
		if !t.acquire().restart(ctx, time.Duration(min(5*try, 30))*time.Millisecond) {
			return nil, err
		}
	}
}

// attached returns what is open already, or the refusal that is final.
func (t *Token) attached(session bool) (*attachment, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && (t.current.ready || !session) {
		return t.current, nil
	}
	if session && t.denied != nil {
		return nil, t.denied
	}
	return nil, nil
}

// open goes on from whatever is open. again says that the failure may be gone
// after the module was started again; the attachment is returned for tries.
func (t *Token) open(ctx context.Context, session bool) (a *attachment, again bool, err error) {
	t.mu.Lock()
	a, lost := t.current, t.lost
	t.mu.Unlock()
	if a == nil {
		a = &attachment{module: t.acquire(), objects: newMemory(&t.lastID)}
		again, err = t.selectToken(ctx, a)
		if err != nil {
			return a, again || lost && breaksSession(err), failure("open token", t.subject(nil), err)
		}
		t.mu.Lock()
		t.current = a
		t.mu.Unlock()
	}
	if session {
		again, err = t.login(ctx, a)
		if breaksSession(err) && !lost { // C_Login is not repeated at once, but the next call may start the module again
			t.mu.Lock()
			t.lost = true
			t.mu.Unlock()
		}
	}
	return a, again || lost && breaksSession(err), failure("log in", t.subject(a), err)
}

// selectToken finds the token.
func (t *Token) selectToken(ctx context.Context, a *attachment) (again bool, err error) {
	if a.module.parameters != t.cfg.Parameters {
		return false, &fault.Error{
			Kind: fault.Invalid, Op: "open token", Subject: "module " + t.cfg.ModulePath,
			Problem: "This process uses the module already, with other parameters; a module is initialised once in a process.",
			Hint:    "Give every provider block of this module the same parameters.",
		}
	}
	defer t.waiting(ctx, a, "open token", 1)() // C_Initialize is in it, and waiting for whoever has the module now
	err = a.module.run(ctx, func(d driver) error {
		library, err := d.LibraryInfo()
		if err != nil {
			return err
		}
		a.library = library
		list, err := listTokens(d)
		if err != nil {
			return err
		}
		chosen, err := t.cfg.Select.choose(list)
		if err != nil {
			again = a.mayRace()
			return err
		}
		a.slot, a.info = chosen.slot, chosen.info
		return nil
	})
	a.profile = profileOf(a.info, a.library)
	if a.profile.Shared {
		a.turnstile = newTurnstile(a.info)
	}
	a.pool = newPool(sessionLimit(t.cfg.MaxSessions, a.info))
	a.concurrent = t.cfg.Concurrent && !a.profile.Serial && a.pool.size > 0
	a.parallelUse = a.profile.ParallelUse && a.pool.size > 0
	return again || hasCode(err, CKR_GENERAL_ERROR, CKR_CRYPTOKI_NOT_INITIALIZED), err
}

// run is module.run for as long as the attachment has its sessions. Whoever waited
// while they were lost fails here, before anything is done on a stale handle.
func (a *attachment) run(ctx context.Context, f func(d driver) error) error {
	return a.module.run(ctx, a.unlessClosed(f))
}

// runBeside is the same with module.runBeside.
func (a *attachment) runBeside(ctx context.Context, f func(d driver) error) error {
	return a.module.runBeside(ctx, a.unlessClosed(f))
}

func (a *attachment) unlessClosed(f func(d driver) error) func(d driver) error {
	return func(d driver) error {
		if a.closed {
			return &callError{"session", CKR_SESSION_CLOSED}
		}
		return f(d)
	}
}

// mayRace reports whether the module is known to hide tokens for a moment while
// another process logs in: SoftHSM, itself or behind p11-kit.
func (a *attachment) mayRace() bool {
	return strings.HasPrefix(a.library.Manufacturer, "SoftHSM") || strings.HasPrefix(a.library.Manufacturer, "PKCS#11 Kit")
}

func tries(a *attachment) int {
	if a.library == (libraryInfo{}) || a.mayRace() {
		return startTries // a module that did not even start may be SoftHSM too
	}
	return startTriesOther
}

// drop forgets an attachment whose sessions are of no use any more.
func (t *Token) drop(a *attachment) {
	t.mu.Lock()
	if t.current == a {
		t.current = nil
	}
	t.mu.Unlock()
	_ = a.close() // they are gone already, most likely
}

// close closes all sessions. Pooled sessions that are in use are closed by
// whoever uses them. The login ends with the last session of the process.
func (a *attachment) close() error {
	return a.module.runStarted(func(d driver) error {
		if a.closed {
			return nil
		}
		a.closed = true
		if a.pool != nil {
			for _, session := range a.pool.drain() {
				_ = d.CloseSession(session)
			}
		}
		if a.held == 0 {
			return nil
		}
		a.module.loggedOut(a.slot)
		return d.CloseSession(a.held)
	})
}

// profileOf recognises the kind of token.
func profileOf(i tokenInfo, l libraryInfo) Profile {
	switch {
	case strings.HasPrefix(i.Manufacturer, "SoftHSM"), strings.HasPrefix(i.Model, "SoftHSM"):
		return Profile{Name: "SoftHSM", CopyToChange: true, Shared: true, Serial: true, ParallelUse: true, Cautions: []string{cautionSoftHSM}}
	case strings.HasPrefix(l.Description, "TPM2.0 Cryptoki"): // tpm2-pkcs11, whatever TPM is behind it
		return Profile{Name: "TPM 2.0", Reticent: true, Serial: true}
	}
	return Profile{Name: "generic"}
}
