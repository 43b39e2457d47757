package cryptoki

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// login is what the process remembers of a login, which all of its sessions on a
// token share (section 5.6). Guarded by the module's gate.
type login struct {
	pin   [sha256.Size]byte
	known bool // pin is set: it was this package that logged in
	users int  // attachments that rely on it
}

// loggedOut is called when an attachment gives up its sessions.
func (m *module) loggedOut(slot uint) {
	if l := m.logins[slot]; l != nil {
		if l.users--; l.users <= 0 {
			delete(m.logins, slot)
		}
	}
}

// login opens the session that is held for the life of the attachment, and logs
// in on it unless the token wants no login. again is as for open.
func (t *Token) login(ctx context.Context, a *attachment) (again bool, err error) {
	var info tokenInfo
	err = a.run(ctx, func(d driver) error {
		info, err = t.sameToken(d, a)
		return err
	})
	if err != nil {
		return false, err
	}
	var pin []byte
	if info.Flags&CKF_LOGIN_REQUIRED != 0 {
		if err := mayTry(info); err != nil {
			return info.Flags&CKF_USER_PIN_INITIALIZED == 0 && a.mayRace(), err
		}
		if pin, err = t.pin(info); err != nil {
			return false, err
		}
		defer clear(pin)
		t.warnPIN(ctx, a, info)
	}
	err = a.run(ctx, func(d driver) error {
		defer t.waiting(ctx, a, "log in", 1)()
		return t.openHeld(d, a, pin)
	})
	if err == nil {
		t.mu.Lock()
		a.ready = true
		t.mu.Unlock()
		return false, nil
	}
	if refusesPIN(err) {
		t.mu.Lock()
		t.denied = failure("log in", t.subject(a), err)
		t.mu.Unlock()
	}
	return a.mayRace() && hasCode(err, CKR_GENERAL_ERROR, CKR_USER_PIN_NOT_INITIALIZED, CKR_TOKEN_NOT_PRESENT), err
}

// refusesPIN reports whether the token said no to this PIN, which is final.
func refusesPIN(err error) bool {
	return hasCode(err, CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED, CKR_PIN_EXPIRED)
}

// sameToken reads the token's information and makes sure that it is still the
// token that was selected.
func (t *Token) sameToken(d driver, a *attachment) (tokenInfo, error) {
	info, err := d.TokenInfo(a.slot)
	if err != nil {
		return info, err
	}
	if info.Serial != a.info.Serial || info.Label != a.info.Label {
		return info, &fault.Error{
			Kind: fault.Unavailable, Op: "check token", Subject: t.subject(a),
			Problem: "Another token is in the slot now: " + describe([]present{{slot: a.slot, info: info}}) + ".",
			Hint:    "Put the right token back, or run again to select it anew.",
		}
	}
	return info, nil
}

func denied(problem, hint string) error {
	return &fault.Error{Kind: fault.Denied, Op: "log in", Problem: problem, Hint: hint}
}

// mayTry refuses a login that cannot succeed, or that would lock the PIN if it
// failed.
func mayTry(info tokenInfo) error {
	subject := "token \"" + info.Label + "\""
	refuse := func(problem, hint string) error {
		return &fault.Error{Kind: fault.Denied, Op: "log in", Subject: subject, Problem: problem, Hint: hint}
	}
	switch {
	case info.Flags&CKF_USER_PIN_LOCKED != 0:
		return refuse("The user PIN is locked, so no login was tried.", hintSO)
	case info.Flags&CKF_USER_PIN_FINAL_TRY != 0:
		return refuse("One more wrong PIN would lock the token, so no login was tried.",
			"Log in once by hand with the right PIN (for instance `pkcs11-tool --login --test`), which resets the counter, then run again.")
	case info.Flags&CKF_USER_PIN_INITIALIZED == 0:
		return refuse("The token has no user PIN yet.", hintSO)
	default:
		return nil
	}
}

func (t *Token) warnPIN(ctx context.Context, a *attachment, info tokenInfo) {
	if info.Flags&CKF_USER_PIN_COUNT_LOW != 0 {
		t.warn(ctx, a, "A wrong PIN was tried on this token since the last login; a few more would lock it. Find out who tries.")
	}
	if info.Flags&CKF_USER_PIN_TO_BE_CHANGED != 0 {
		t.warn(ctx, a, "The user PIN of this token is a default or has expired. Change it with the vendor's tool.")
	}
}

// pin asks for the PIN; nil leaves it to the token's own PIN pad.
func (t *Token) pin(info tokenInfo) ([]byte, error) {
	pad := info.Flags&CKF_PROTECTED_AUTHENTICATION_PATH != 0
	const hint = "Give the PIN, or the file that holds it, in the provider's configuration."
	if t.cfg.PIN == nil {
		if pad {
			return nil, nil
		}
		return nil, denied("The token wants a PIN and none is configured.", hint)
	}
	pin, err := t.cfg.PIN()
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return nil, err
	}
	if err != nil { // the text of a foreign error might quote what it read
		return nil, denied("The PIN could not be read.", hint)
	}
	if len(pin) == 0 && !pad {
		return nil, denied("The PIN is empty.", hint)
	}
	return pin, nil
}

// openHeld opens the held session and logs in on it, exactly once for all Tokens
// of the process that are on this token. The gate is held, so nobody comes in
// between. A kill inside C_Login can destroy a SoftHSM token as a whole; there is
// no remedy but fewer logins.
func (t *Token) openHeld(d driver, a *attachment, pin []byte) error {
	info, err := t.sameToken(d, a)
	if err != nil {
		return err
	}
	wanted := info.Flags&CKF_LOGIN_REQUIRED != 0
	mine := refusedPIN{module: a.module.real, serial: info.Serial, pin: modules.hash(pin)}
	if wanted {
		if err := modules.refusal(mine); err != nil {
			return err
		}
		if err := mayTry(info); err != nil { // once more: another Token may have failed meanwhile
			return err
		}
	}
	session, err := d.OpenSession(a.slot, info.Flags&CKF_WRITE_PROTECTED == 0)
	if err != nil {
		return err
	}
	if wanted {
		if err := a.module.logIn(d, session, a.slot, pin, mine); err != nil {
			_ = d.CloseSession(session)
			return err
		}
	}
	a.held = session
	return nil
}

// logIn shares an existing login of this process if the PIN is the same, and
// calls C_Login otherwise.
func (m *module) logIn(d driver, session, slot uint, pin []byte, mine refusedPIN) error {
	if l := m.logins[slot]; l != nil {
		state, err := d.SessionState(session)
		if err != nil {
			return err
		}
		if isUser(state) {
			if l.known && subtle.ConstantTimeCompare(l.pin[:], mine.pin[:]) != 1 {
				return denied("This process is logged in to the token already, with another PIN.", "Give every provider block of this token the same PIN.")
			}
			l.users++
			return nil
		}
		delete(m.logins, slot) // the token logged us out behind our back
	}
	err := d.Login(session, pin)
	switch {
	case err == nil:
		m.logins[slot] = &login{pin: mine.pin, known: true, users: 1}
		return nil
	case hasCode(err, CKR_USER_ALREADY_LOGGED_IN): // by other code in this process: nothing to compare with
		m.logins[slot] = &login{users: 1}
		return nil
	case refusesPIN(err):
		err = failure("log in", fmt.Sprintf("token with serial %q", mine.serial), err)
		modules.refuse(mine, err)
		return err
	default:
		return err
	}
}
