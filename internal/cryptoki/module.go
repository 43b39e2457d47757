package cryptoki

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"sync"
	"time"
)

// modules is the one mutable variable of this package. It has to be: C_Initialize
// is global to the process (section 5.4), so two Tokens on one module share it,
// and one C_Finalize ends both; and a wrong PIN must not be tried again by
// whoever opens the token next.
var modules = registry{loaded: map[string]*module{}, refused: map[refusedPIN]error{}}

type registry struct {
	mu      sync.Mutex // guards everything here, and module.users
	loaded  map[string]*module
	refused map[refusedPIN]error
	salt    []byte
}

// module is a PKCS#11 library, in use by at least one Token.
type module struct {
	path string // as configured
	// parameters are those of whoever used the module first; see Token.selectToken.
	parameters string
	real       string // absolute, without symbolic links
	open       func(path string) (driver, error)
	users      int

	// gate is entered for every call into the module: software tokens are not
	// thread-safe, whatever they say. Whoever is on a token that is known to bear it only
	// joins. What follows is changed by those who entered.
	gate    gate
	driver  driver // nil until loaded
	started bool   // C_Initialize succeeded, and C_Finalize is due
	shared  bool   // somebody else in the process had initialised it, and finalises it
	logins  map[uint]*login
}

// acquire counts the caller among the users of the module at path. Nothing is
// loaded yet.
func (r *registry) acquire(path, parameters string, open func(string) (driver, error)) *module {
	if open == nil {
		open = openModule
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := realPath(path)
	m := r.loaded[key]
	if m == nil {
		m = &module{path: path, parameters: parameters, real: key, open: open, gate: newGate(), logins: map[uint]*login{}}
		r.loaded[key] = m
	}
	m.users++
	return m
}

// release is the end of one acquire. The last user finalises and unloads, before
// anybody can acquire the module again: C_Finalize would end the newcomer too.
func (r *registry) release(m *module) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.users--; m.users > 0 {
		return nil
	}
	delete(r.loaded, m.real)
	if m.driver == nil {
		return nil
	}
	err := m.stop()
	m.driver.Unload()
	m.driver = nil
	return err
}

// hasOneUser reports whether the caller has the module for itself.
func (r *registry) hasOneUser(m *module) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.users == 1
}

// refusedPIN is a PIN that a token refused. The salt keeps the hash of a short
// PIN in memory from being of use elsewhere.
type refusedPIN struct {
	module, serial string
	pin            [sha256.Size]byte
}

func (r *registry) hash(pin []byte) [sha256.Size]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.salt == nil {
		r.salt = make([]byte, 32)
		_, _ = rand.Read(r.salt) // never fails
	}
	h := sha256.New()
	h.Write(r.salt)
	h.Write(pin)
	return [sha256.Size]byte(h.Sum(nil))
}

func (r *registry) refuse(p refusedPIN, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[p] = err
}

func (r *registry) refusal(p refusedPIN) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused[p]
}

func realPath(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path
}

// run lets f call the module, alone, loading and initialising it first if need be.
func (m *module) run(ctx context.Context, f func(d driver) error) error {
	if err := m.gate.enter(ctx); err != nil {
		return err
	}
	defer m.gate.leave()
	if err := m.start(); err != nil {
		return err
	}
	return f(m.driver)
}

// runBeside is run for calls in sessions of their own, which others may make meanwhile.
func (m *module) runBeside(ctx context.Context, f func(d driver) error) error {
	if err := m.gate.join(ctx); err != nil {
		return err
	}
	defer m.gate.part()
	if !m.started {
		return &callError{"session", CKR_SESSION_CLOSED}
	}
	return f(m.driver)
}

// runStarted is run for tidying up: it does nothing if the module is not initialised.
func (m *module) runStarted(f func(d driver) error) error {
	if err := m.gate.enter(context.Background()); err != nil {
		return err
	}
	defer m.gate.leave()
	if !m.started {
		return nil
	}
	return f(m.driver)
}

func (m *module) start() error {
	if m.started {
		return nil
	}
	if m.driver == nil {
		d, err := m.open(m.path)
		if err != nil {
			return err
		}
		m.driver = d
	}
	err := m.driver.Initialize(m.parameters)
	m.shared = hasCode(err, CKR_CRYPTOKI_ALREADY_INITIALIZED)
	if err != nil && !m.shared {
		return err
	}
	m.started = true
	return nil
}

// stop finalises the module. All sessions and logins end with it.
func (m *module) stop() error {
	if !m.started {
		return nil
	}
	m.started = false
	clear(m.logins)
	if m.shared {
		return nil
	}
	return m.driver.Finalize()
}

// restart finalises the module, waits, and leaves it to the next call to
// initialise it again. It does nothing (false) if somebody else uses the module.
func (m *module) restart(ctx context.Context, pause time.Duration) bool {
	if m.gate.enter(ctx) != nil {
		return false
	}
	defer m.gate.leave()
	if m.shared || !modules.hasOneUser(m) {
		return false
	}
	_ = m.stop() // what fails here shows when it is initialised again
	return sleep(ctx, pause) == nil
}

// sleep waits, or returns a fault when the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}
