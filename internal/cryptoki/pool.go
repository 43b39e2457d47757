package cryptoki

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

const defaultSessions = 8

// sessionLimit is how many sessions a Token may have, the held one included.
func sessionLimit(wanted int, i tokenInfo) int {
	if wanted <= 0 {
		wanted = defaultSessions
	}
	for _, limit := range []uint{i.MaxSessions, i.MaxReadWriteSessions} {
		if limit != 0 && !unavailable(limit) && limit < uint(wanted) { // 0 is CK_EFFECTIVELY_INFINITE
			wanted = int(limit)
		}
	}
	return wanted
}

// pool lends sessions, besides the held one. A pool of none lends the held session, which
// is fine as long as the gate makes every operation wait for the one before.
type pool struct {
	size   int
	places *semaphore.Weighted // one for each session that may be lent at a time
	mu     sync.Mutex
	idle   []uint
	closed bool
}

func newPool(limit int) *pool {
	size := max(limit-1, 0)
	return &pool{size: size, places: semaphore.NewWeighted(int64(size))}
}

// enter waits for a place. A pool without any never makes wait.
func (p *pool) enter(ctx context.Context) error {
	if p.size == 0 {
		return nil
	}
	return acquire(ctx, p.places, 1)
}

func (p *pool) leave() {
	if p.size > 0 {
		p.places.Release(1)
	}
}

// take returns an idle session, opens one, or falls back to held if the token has no more.
// Whoever calls it holds the gate, alone, and has a place.
func (p *pool) take(d driver, a *attachment) (session uint, err error) {
	if p.size == 0 {
		return a.held, nil
	}
	if session = p.reuse(); session != 0 {
		return session, nil
	}
	session, err = d.OpenSession(a.slot, a.concurrent && a.info.Flags&CKF_WRITE_PROTECTED == 0)
	if hasCode(err, CKR_SESSION_COUNT) && !a.concurrent {
		return a.held, nil
	}
	return session, err
}

// reuse returns an idle session, or 0.
func (p *pool) reuse() (session uint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		session = p.idle[n-1]
		p.idle = p.idle[:n-1]
	}
	return session
}

// give takes a session back, or closes it: when it is broken, or nobody will use
// it any more. The gate is held.
func (p *pool) give(d driver, a *attachment, session uint, broken bool) {
	if session == a.held {
		return
	}
	p.mu.Lock()
	keep := !broken && !p.closed
	if keep {
		p.idle = append(p.idle, session)
	}
	p.mu.Unlock()
	if !keep {
		_ = d.CloseSession(session)
	}
}

// giveUnused takes back a session that was not used.
func (p *pool) giveUnused(a *attachment, session uint) {
	p.mu.Lock()
	keep := !p.closed
	if keep {
		p.idle = append(p.idle, session)
	}
	p.mu.Unlock()
	if !keep {
		_ = a.module.runStarted(func(d driver) error { return d.CloseSession(session) })
	}
}

// drain returns the idle sessions for closing; what is lent out is closed by give.
func (p *pool) drain() []uint {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.closed = nil, true
	return idle
}

// runAnywhere runs f on a session of the pool, beside others, on a token that bears that;
// otherwise alone on the held one.
func (a *attachment) runAnywhere(ctx context.Context, f func(d driver, session uint) error) error {
	if !a.concurrent {
		return a.run(ctx, func(d driver) error { return f(d, a.held) })
	}
	_, err := a.lend(ctx, true, f)
	return err
}

// lend runs f on a session of the pool, beside others who do so too, or alone. held says
// that it was the held session after all.
func (a *attachment) lend(ctx context.Context, beside bool, f func(d driver, session uint) error) (held bool, err error) {
	if err := a.pool.enter(ctx); err != nil {
		return false, err
	}
	defer a.pool.leave()
	session := uint(0)
	if beside {
		session = a.pool.reuse()
	}
	if session == 0 {
		err = a.run(ctx, func(d driver) (err error) {
			session, err = a.pool.take(d, a)
			held = session == a.held
			if err != nil || beside && !held {
				return err // nobody else is in the module while a session is opened
			}
			return a.useOnce(d, session, f)
		})
	}
	if err != nil || held || !beside {
		return held, err
	}
	used := false
	err = a.runBeside(ctx, func(d driver) error {
		used = true
		return a.useOnce(d, session, f)
	})
	if !used { // cancelled, or closed meanwhile
		a.pool.giveUnused(a, session)
	}
	return false, err
}

// useOnce runs f on a lent session, and gives that back.
func (a *attachment) useOnce(d driver, session uint, f func(d driver, session uint) error) error {
	err := f(d, session)
	a.pool.give(d, a, session, spoilsSession(err))
	return err
}
