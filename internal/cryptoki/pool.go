package cryptoki

import (
	"context"
	"sync"
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

// pool lends sessions for cryptographic operations, besides the held one. A pool
// of none lends the held session, which is fine as long as the gate makes every
// operation wait for the one before.
type pool struct {
	places chan struct{} // one for each session that may be lent at a time
	mu     sync.Mutex
	idle   []uint
	closed bool
}

func newPool(limit int) *pool { return &pool{places: make(chan struct{}, max(limit-1, 0))} }

// enter waits for a place. A pool without any never makes wait.
func (p *pool) enter(ctx context.Context) error {
	if cap(p.places) == 0 {
		return nil
	}
	return gate(p.places).enter(ctx)
}

func (p *pool) leave() {
	if cap(p.places) > 0 {
		<-p.places
	}
}

// take returns an idle session, opens one, or falls back to held if the token has
// no more. Whoever calls it holds the gate and has a place.
func (p *pool) take(d driver, a *attachment) (session uint, err error) {
	if cap(p.places) == 0 {
		return a.held, nil
	}
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		session = p.idle[n-1]
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	if session != 0 {
		return session, nil
	}
	session, err = d.OpenSession(a.slot, false)
	if hasCode(err, CKR_SESSION_COUNT) {
		return a.held, nil
	}
	return session, err
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

// drain returns the idle sessions for closing; what is lent out is closed by give.
func (p *pool) drain() []uint {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.closed = nil, true
	return idle
}
