package cryptoki_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

func aesOn(t *testing.T, token *cryptoki.Token, label string) cryptoki.Object {
	t.Helper()
	o, err := token.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 32, true, label))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestBrokenSessionIsDropped: one session of the pool breaks, the login stays.
func TestBrokenSessionIsDropped(t *testing.T) {
	var l layer
	token := open(t, l.on(config(softhsm.New(t, "broken"))))
	key := aesOn(t, token, "key")
	var used []uint
	fail := true
	l.sign = func(session uint) error {
		used = append(used, session)
		if fail {
			fail = false
			return cryptoki.Returns("C_SignInit", cryptoki.CKR_SESSION_HANDLE_INVALID)
		}
		return nil
	}
	if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	if used[1] == used[0] || used[2] != used[1] {
		t.Errorf("the sessions were %v: the first is broken, the second good", used)
	}
	if l.logins.Load() != 1 || l.sessions.Load() != 2 {
		t.Errorf("%d logins, %d sessions", l.logins.Load(), l.sessions.Load())
	}
}

// TestLostSessions: all sessions are gone. Handles are void then, and the next
// call opens the token again.
func TestLostSessions(t *testing.T) {
	var l layer
	token := open(t, l.on(config(softhsm.New(t, "lost"))))
	key := aesOn(t, token, "key")
	lost := false
	l.sign = func(uint) error {
		lost = true
		return cryptoki.Returns("C_SignInit", cryptoki.CKR_DEVICE_REMOVED)
	}
	l.sessionState = func(uint) error {
		if lost {
			lost = false
			return cryptoki.Returns("C_GetSessionInfo", cryptoki.CKR_SESSION_HANDLE_INVALID)
		}
		return nil
	}
	if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	l.sign = nil
	if err := token.DestroyObject(t.Context(), key.Handle); !fault.Is(err, fault.Conflict) {
		t.Errorf("a handle from before: %v, want a conflict", err)
	}
	list := mustList(t, token)
	if len(list) != 1 || list[0].Handle == key.Handle {
		t.Errorf("listed %v", list)
	}
	if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), list[0].Handle, nil); err != nil {
		t.Errorf("after opening again: %v", err)
	}
	if n := l.logins.Load(); n != 2 {
		t.Errorf("there were %d logins", n)
	}
}

// TestModuleIsStartedAgain: after a loss the module itself is out of order until
// it is initialised again, as with p11-kit when its server died.
func TestModuleIsStartedAgain(t *testing.T) {
	var l layer
	token := open(t, l.on(config(softhsm.New(t, "again"))))
	key := aesOn(t, token, "key")
	dead := func() bool { return l.initialized.Load() == 1 }
	broken := false
	l.sign = func(uint) error {
		broken = true
		return cryptoki.Returns("C_SignInit", cryptoki.CKR_DEVICE_ERROR)
	}
	l.tokenInfo = func(slot uint) (cryptoki.TokenInfo, error) {
		if broken && dead() {
			return cryptoki.TokenInfo{}, cryptoki.Returns("C_GetTokenInfo", cryptoki.CKR_DEVICE_ERROR)
		}
		return l.Driver.TokenInfo(slot)
	}
	if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if list := mustList(t, token); len(list) != 1 {
		t.Errorf("listed %v", list)
	}
	if n := l.initialized.Load(); n != 2 {
		t.Errorf("the module was initialised %d times", n)
	}
}

func TestTokenWithFewSessions(t *testing.T) {
	soft := softhsm.New(t, "few")
	tests := []struct {
		name string
		max  uint // what the token says
		real int32
	}{
		{"one, and says so", 1, 1},
		{"two, and says so", 2, 2},
		{"one, and does not say so", 0, 1},
		{"two, and does not say so", ^uint(0), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l layer
			l.tokenInfo = func(slot uint) (cryptoki.TokenInfo, error) {
				info, err := l.Driver.TokenInfo(slot)
				info.MaxSessions = test.max
				return info, err
			}
			l.openSession = func() error {
				if l.sessions.Load() >= test.real {
					return cryptoki.Returns("C_OpenSession", cryptoki.CKR_SESSION_COUNT)
				}
				return nil
			}
			token := open(t, l.on(config(soft)))
			key := aesOn(t, token, "key")
			var group sync.WaitGroup
			for range 16 {
				group.Go(func() {
					if _, err := token.Sign(t.Context(), mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	}
}

// TestWaitingEndsWithTheContext: a call that waits for another one can be given up,
// one that has begun is finished.
func TestWaitingEndsWithTheContext(t *testing.T) {
	var l layer
	token := open(t, l.on(config(softhsm.New(t, "waiting"))))
	key := aesOn(t, token, "key")
	begun, finish := make(chan struct{}), make(chan struct{})
	l.sign = func(uint) error {
		close(begun)
		<-finish
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := token.Sign(ctx, mechanism(cryptoki.CKM_AES_CMAC), key.Handle, nil)
		result <- err
	}()
	<-begun
	cancel()
	short, cancelShort := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelShort()
	if _, err := token.Encrypt(short, mechanism(cryptoki.CKM_AES_ECB), key.Handle, make([]byte, 16)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("the one that waits: %v", err)
	}
	close(finish)
	if err := <-result; err != nil {
		t.Errorf("the one that had begun: %v", err)
	}
}
