package cryptoki

import "context"

// fail ends an operation: it makes a fault of err, and forgets the attachment if
// its sessions are lost.
func (t *Token) fail(ctx context.Context, op string, a *attachment, err error) error {
	if err == nil {
		return nil
	}
	if breaksSession(err) && !t.alive(a) {
		t.mu.Lock()
		t.lost = true
		t.mu.Unlock()
		t.drop(a)
		t.log(ctx, "The sessions with the token were lost", map[string]any{"token": a.info.Label, "cause": err.Error()})
	}
	return failure(op, t.subject(a), err)
}

// alive asks whether the held session still is what it was.
func (t *Token) alive(a *attachment) bool {
	alive := false
	err := a.module.runStarted(func(d driver) error {
		if a.closed {
			return nil
		}
		info, err := t.sameToken(d, a)
		if err != nil {
			return err
		}
		state, err := d.SessionState(a.held)
		alive = err == nil && (isUser(state) || info.Flags&CKF_LOGIN_REQUIRED == 0)
		return err
	})
	return err == nil && alive
}
