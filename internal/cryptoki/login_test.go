package cryptoki_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

func withPIN(c cryptoki.Config, pin string) cryptoki.Config {
	c.PIN = func() ([]byte, error) { return []byte(pin), nil }
	return c
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	soft := softhsm.New(t, "wrong")
	var l layer
	const wrong = "not-the-pin"
	token := open(t, withPIN(l.on(config(soft)), wrong))
	errs := make([]error, 50)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = token.Objects(t.Context()) })
	}
	group.Wait()
	for _, err := range errs {
		if code, _ := cryptoki.Code(err); !fault.Is(err, fault.Denied) || code != cryptoki.CKR_PIN_INCORRECT {
			t.Fatalf("got %v, want denied with CKR_PIN_INCORRECT", err)
		}
		if !strings.Contains(err.Error(), "[C_Login: CKR_PIN_INCORRECT]") || strings.Contains(fmt.Sprintf("%+v", err), wrong) {
			t.Fatalf("the error reads %q", err)
		}
	}
	if n := l.logins.Load(); n != 1 {
		t.Errorf("the wrong PIN was tried %d times by 50 goroutines", n)
	}
	other := open(t, withPIN(config(soft), wrong)) // while the module is loaded, the layer is under this one too
	if _, err := other.Objects(t.Context()); !fault.Is(err, fault.Denied) {
		t.Errorf("another Token: %v", err)
	}
	if n := l.logins.Load(); n != 1 {
		t.Errorf("another Token tried the wrong PIN again")
	}
	if _, err := other.Info(t.Context()); err != nil {
		t.Errorf("what needs no login: %v", err)
	}
	right := open(t, config(soft))
	if _, err := right.Objects(t.Context()); err != nil {
		t.Errorf("the right PIN: %v", err)
	}
	if w := right.Warnings(); len(w) != 1 || !strings.Contains(w[0], "wrong PIN") {
		t.Errorf("warnings are %q, want one of a wrong PIN", w)
	}
}

func TestWrongPINIsRememberedAfterClose(t *testing.T) {
	soft := softhsm.New(t, "remembered")
	for try := range 3 {
		var l layer
		token := cryptoki.New(withPIN(l.on(config(soft)), "wrong again"))
		if _, err := token.Objects(t.Context()); !fault.Is(err, fault.Denied) {
			t.Errorf("got %v", err)
		}
		if err := token.Close(); err != nil {
			t.Fatal(err)
		}
		if n := l.logins.Load(); n != int32(min(1, 1-min(try, 1))) {
			t.Errorf("%d logins at opening number %d", n, try+1)
		}
	}
}

func TestLoginIsShared(t *testing.T) {
	soft := softhsm.New(t, "shared")
	var l layer
	pin := []byte(softhsm.PIN)
	c := l.on(config(soft))
	c.PIN = func() ([]byte, error) { return pin, nil }
	first := open(t, c)
	if _, err := first.Objects(t.Context()); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(pin, func(b byte) bool { return b != 0 }) {
		t.Error("the PIN was not zeroed")
	}
	second := open(t, config(soft))
	if _, err := second.Objects(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := open(t, withPIN(config(soft), "another"))
	if _, err := third.Objects(t.Context()); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "another PIN") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 16, true, "key")); err != nil {
		t.Errorf("after the Token that logged in was closed: %v", err)
	}
	if n := l.logins.Load(); n != 1 {
		t.Errorf("there were %d logins", n)
	}
}

func TestPINFlags(t *testing.T) {
	soft := softhsm.New(t, "flags")
	tests := []struct {
		name       string
		set, unset uint
		want       string // in the error; empty for success
		warning    string
	}{
		{"all is well", 0, 0, "", ""},
		{"count low", cryptoki.CKF_USER_PIN_COUNT_LOW, 0, "", "A wrong PIN was tried"},
		{"to be changed", cryptoki.CKF_USER_PIN_TO_BE_CHANGED, 0, "", "Change it"},
		{"final try", cryptoki.CKF_USER_PIN_FINAL_TRY | cryptoki.CKF_USER_PIN_COUNT_LOW, 0, "would lock the token", ""},
		{"locked", cryptoki.CKF_USER_PIN_LOCKED, 0, "is locked", ""},
		{"no PIN", 0, cryptoki.CKF_USER_PIN_INITIALIZED, "no user PIN yet", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l layer
			l.tokenInfo = func(slot uint) (cryptoki.TokenInfo, error) {
				info, err := l.Driver.TokenInfo(slot)
				info.Flags = (info.Flags | test.set) &^ test.unset
				return info, err
			}
			var logged []string
			c := l.on(config(soft))
			c.Logger = func(_ context.Context, msg string, fields map[string]any) {
				logged = append(logged, fmt.Sprint(msg, fields))
			}
			token := open(t, c)
			_, err := token.Objects(t.Context())
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Kind != fault.Denied || !strings.Contains(f.Problem, test.want) || f.Hint == "" {
					t.Errorf("got %v", err)
				}
				if n := l.logins.Load(); n != 0 {
					t.Errorf("login was tried %d times", n)
				}
			}
			warnings := token.Warnings()
			if test.warning == "" != (len(warnings) == 0) || len(logged) != len(warnings) {
				t.Fatalf("warnings %q, logged %q", warnings, logged)
			}
			if test.warning != "" && !strings.Contains(warnings[0], test.warning) {
				t.Errorf("warning is %q", warnings[0])
			}
		})
	}
}

func TestPINSources(t *testing.T) {
	soft := softhsm.New(t, "sources")
	tests := []struct {
		name    string
		pin     func() ([]byte, error)
		flags   uint // turned over
		pad     bool // the token is asked with no PIN
		want    string
		without bool // no login at all
	}{
		{"none", nil, 0, false, "none is configured", false},
		{"empty", func() ([]byte, error) { return nil, nil }, 0, false, "is empty", false},
		{"unreadable", func() ([]byte, error) { return nil, errors.New("secret text") }, 0, false, "could not be read", false},
		{"pad", nil, cryptoki.CKF_PROTECTED_AUTHENTICATION_PATH, true, "", false},
		{"no login required", nil, cryptoki.CKF_LOGIN_REQUIRED, false, "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l layer
			l.tokenInfo = func(slot uint) (cryptoki.TokenInfo, error) {
				info, err := l.Driver.TokenInfo(slot)
				info.Flags ^= test.flags
				return info, err
			}
			l.login = func(session uint, pin []byte) error {
				if test.pad != (pin == nil) {
					t.Errorf("login with PIN %v", pin)
				}
				return l.Driver.Login(session, []byte(softhsm.PIN))
			}
			c := l.on(config(soft))
			c.PIN = test.pin
			_, err := open(t, c).Objects(t.Context())
			if test.want == "" && err != nil || test.want != "" && (!fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret text") {
				t.Errorf("%q quotes the source of the PIN", err)
			}
			if n := l.logins.Load(); test.without && n != 0 {
				t.Errorf("there were %d logins", n)
			}
		})
	}
}

// TestLoginCanBeTriedAgain: a failure that says nothing about the PIN is not final.
func TestLoginCanBeTriedAgain(t *testing.T) {
	soft := softhsm.New(t, "again")
	var l layer
	l.login = func(session uint, pin []byte) error {
		if l.logins.Load() == 1 {
			return cryptoki.Returns("C_Login", cryptoki.CKR_DEVICE_ERROR)
		}
		return l.Driver.Login(session, pin)
	}
	token := open(t, l.on(config(soft)))
	if _, err := token.Objects(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := token.Objects(t.Context()); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
