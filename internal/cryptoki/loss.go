package cryptoki

import "context"

// fail ends an operation on the held session: it makes a fault of err, and sees to it
// that the next one finds a session that is good for something.
func (t *Token) fail(ctx context.Context, op string, a *attachment, err error) error {
	if spoilsSession(err) && !t.renew(a) {
		t.lose(ctx, a, err)
	}
	return failure(op, t.subject(a), err)
}

// failOnLent is fail for an operation on a session of the pool, which is closed already.
func (t *Token) failOnLent(ctx context.Context, op string, a *attachment, err error) error {
	if spoilsSession(err) && !t.alive(a) {
		t.lose(ctx, a, err)
	}
	return failure(op, t.subject(a), err)
}

// lose forgets an attachment whose sessions are lost.
func (t *Token) lose(ctx context.Context, a *attachment, cause error) {
	t.mu.Lock()
	t.lost = true
	t.mu.Unlock()
	t.drop(a)
	t.log(ctx, "The sessions with the token were lost", map[string]any{"token": a.info.Label, "cause": cause.Error()})
}

// alive asks whether the held session still is what it was.
func (t *Token) alive(a *attachment) bool {
	return a.module.runStarted(func(d driver) error { return t.checkHeld(d, a) }) == nil
}

// renew puts a new session in the place of the held one, if the token and the login are
// still what they were: nobody knows what the old one is busy with. Session objects are
// gone with it.
func (t *Token) renew(a *attachment) bool {
	return a.module.runStarted(func(d driver) error {
		if err := t.checkHeld(d, a); err != nil {
			return err
		}
		session, err := d.OpenSession(a.slot, a.info.Flags&CKF_WRITE_PROTECTED == 0)
		if err != nil {
			return err
		}
		old := a.held
		a.held = session // before the old one is closed: the login ends with the last session
		return d.CloseSession(old)
	}) == nil
}

// checkHeld fails if the held session is not there any more, or not logged in. The gate
// is held.
func (t *Token) checkHeld(d driver, a *attachment) error {
	if a.closed {
		return &callError{"session", CKR_SESSION_CLOSED}
	}
	info, err := t.sameToken(d, a)
	if err != nil {
		return err
	}
	state, err := d.SessionState(a.held)
	if err == nil && !isUser(state) && info.Flags&CKF_LOGIN_REQUIRED != 0 {
		err = &callError{"C_GetSessionInfo", CKR_USER_NOT_LOGGED_IN}
	}
	return err
}
