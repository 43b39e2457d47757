package cryptoki

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Token is one token, opened and logged in to when first needed. All methods may
// be called from several goroutines. Every error is, or wraps, a *fault.Error;
// see Code for the PKCS#11 return value.
//
// A context ends only waiting: what has begun in the HSM is finished. When
// sessions are lost (token removed, HSM restarted) the call at hand fails with
// fault.Unavailable, every Handle becomes void, and the next call opens the token
// again.
type Token struct {
	cfg Config

	life   sync.RWMutex // read-held by every operation, so that Close waits for them
	closed bool         // guarded by life

	opening gate          // one goroutine opens and logs in, the others wait for it
	objects gate          // one operation on objects at a time, as they all change the memory, or writes beside each other
	queue   atomic.Int32  // how many wait for objects
	lastID  atomic.Uint64 // of handles: they are never reused, even across attachments
	mu      sync.Mutex    // guards what follows
	module  *module       // from first use to Close
	current *attachment   // nil when not open
	denied  error         // a login that was refused is final
	warned  []string      // see Warnings
	lost    bool          // sessions were lost once

	waits     waits
	surveys   surveys
	asking    gate  // guards what follows
	keepsData *bool // nil until KeepsData found out
}

// New prepares a Token. It does no I/O: the module is loaded and the token
// selected at first use, and login happens in the first call that needs it.
func New(cfg Config) *Token {
	return &Token{cfg: cfg, opening: newGate(), objects: newGate(), asking: newGate()}
}

// Close waits for running operations, closes all sessions, and lets go of the
// module; the last Token on it finalises and unloads it. Session objects are gone
// then. A second Close does nothing. Any other method called afterwards fails with
// fault.Internal.
func (t *Token) Close() error {
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	t.mu.Lock()
	m, a := t.module, t.current
	t.module, t.current = nil, nil
	t.mu.Unlock()
	if m == nil {
		return nil
	}
	var failed error
	if a != nil {
		failed = a.close()
	}
	return failure("close token", t.subject(a), errors.Join(failed, modules.release(m)))
}

// enter begins a public operation; leave must follow unless it fails.
func (t *Token) enter(op string) error {
	t.life.RLock()
	if t.closed {
		t.life.RUnlock()
		return &fault.Error{Kind: fault.Internal, Op: op, Subject: t.subject(nil), Problem: "The token was closed.", Hint: hintReport}
	}
	return nil
}

func (t *Token) leave() { t.life.RUnlock() }

// alone marks the context of whoever holds the objects gate of a Token, see Alone.
type alone struct{ token *Token }

// Alone runs f while no other operation on objects of this Token is let in between:
// those with the context that f gets are. Operations with keys are not held up.
func (t *Token) Alone(ctx context.Context, f func(ctx context.Context) error) error {
	if ctx.Value(alone{t}) != nil {
		return f(ctx)
	}
	if err := t.queueUp(ctx, t.objects.enter); err != nil {
		return err
	}
	defer t.objects.leave()
	return f(context.WithValue(ctx, alone{t}, true))
}

// queueUp enters or joins the gate of operations on objects.
func (t *Token) queueUp(ctx context.Context, pass func(ctx context.Context) error) error {
	t.queue.Add(1)
	defer t.queue.Add(-1)
	return pass(ctx)
}

// manage begins an operation on objects: logged in, and the only one of this Token, or
// beside others that began likewise.
func (t *Token) manage(ctx context.Context, beside bool) (a *attachment, done func(), err error) {
	pass, leave := t.objects.enter, t.objects.leave
	if beside {
		pass, leave = t.objects.join, t.objects.part
	}
	if ctx.Value(alone{t}) != nil {
		leave = func() {}
	} else if err := t.queueUp(ctx, pass); err != nil {
		return nil, nil, err
	}
	a, err = t.attach(ctx, true)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return a, leave, nil
}

// subject names the token in errors.
func (t *Token) subject(a *attachment) string {
	if a != nil {
		return fmt.Sprintf("token %q", a.info.Label)
	}
	if t.cfg.Select == (Selector{}) {
		return "module " + t.cfg.ModulePath
	}
	return t.cfg.Select.String()
}

// Warnings returns, in whole sentences, what an operator should know about the
// token although nothing failed: PIN tries that were wasted, a PIN that wants to
// be changed. They are logged too.
func (t *Token) Warnings() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.warned)
}

// warn keeps and logs a warning, once.
func (t *Token) warn(ctx context.Context, a *attachment, text string) {
	t.mu.Lock()
	known := slices.Contains(t.warned, text)
	if !known {
		t.warned = append(t.warned, text)
	}
	t.mu.Unlock()
	if !known {
		t.log(ctx, text, map[string]any{"token": a.info.Label, "serial": a.info.Serial})
	}
}

func (t *Token) log(ctx context.Context, msg string, fields map[string]any) {
	if t.cfg.Logger != nil {
		t.cfg.Logger(ctx, msg, fields)
	}
}

// acquire returns the module, counted on first use.
func (t *Token) acquire() *module {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.module == nil {
		t.module = modules.acquire(t.cfg.ModulePath, t.cfg.Parameters, t.cfg.open)
	}
	return t.module
}
