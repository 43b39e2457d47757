package cryptoki_test

import (
	"sync/atomic"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// config selects a throw-away token.
func config(token *softhsm.Token) cryptoki.Config {
	return cryptoki.Config{
		ModulePath: token.Module,
		Select:     cryptoki.Selector{Serial: token.Serial},
		PIN:        func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	}
}

// open makes a Token that is closed with the test.
func open(t *testing.T, c cryptoki.Config) *cryptoki.Token {
	t.Helper()
	token := cryptoki.New(c)
	t.Cleanup(func() {
		if err := token.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return token
}

// layer is a driver on top of the real one. The functions that are set replace
// calls.
type layer struct {
	cryptoki.Driver
	logins, initialized, finalized, unloaded atomic.Int32
	sessions                                 atomic.Int32 // open now
	tokenInfo                                func(slot uint) (cryptoki.TokenInfo, error)
	login                                    func(session uint, pin []byte) error
	sign                                     func(session uint) error
	sessionState                             func(session uint) error
	openSession                              func() error
	generateKeyPair                          func()
}

// on puts the layer under a configuration.
func (l *layer) on(c cryptoki.Config) cryptoki.Config {
	return c.WithDriver(func(path string) (cryptoki.Driver, error) {
		d, err := cryptoki.OpenModule(path)
		l.Driver = d
		return l, err
	})
}

func (l *layer) Initialize(parameters string) error {
	l.initialized.Add(1)
	return l.Driver.Initialize(parameters)
}

func (l *layer) Finalize() error {
	l.finalized.Add(1)
	return l.Driver.Finalize()
}

func (l *layer) Unload() {
	l.unloaded.Add(1)
	l.Driver.Unload()
}

func (l *layer) TokenInfo(slot uint) (cryptoki.TokenInfo, error) {
	if l.tokenInfo != nil {
		return l.tokenInfo(slot)
	}
	return l.Driver.TokenInfo(slot)
}

func (l *layer) Login(session uint, pin []byte) error {
	l.logins.Add(1)
	if l.login != nil {
		return l.login(session, pin)
	}
	return l.Driver.Login(session, pin)
}

func (l *layer) OpenSession(slot uint, readWrite bool) (uint, error) {
	if l.openSession != nil {
		if err := l.openSession(); err != nil {
			return 0, err
		}
	}
	session, err := l.Driver.OpenSession(slot, readWrite)
	if err == nil {
		l.sessions.Add(1)
	}
	return session, err
}

func (l *layer) CloseSession(session uint) error {
	l.sessions.Add(-1)
	return l.Driver.CloseSession(session)
}

func (l *layer) SessionState(session uint) (uint, error) {
	if l.sessionState != nil {
		if err := l.sessionState(session); err != nil {
			return 0, err
		}
	}
	return l.Driver.SessionState(session)
}

func (l *layer) Sign(session uint, m cryptoki.Mechanism, key uint, data []byte) ([]byte, error) {
	if l.sign != nil {
		if err := l.sign(session); err != nil {
			return nil, err
		}
	}
	return l.Driver.Sign(session, m, key, data)
}

func (l *layer) GenerateKeyPair(session uint, m cryptoki.Mechanism, public, private []cryptoki.Attribute) (pub, priv uint, err error) {
	if l.generateKeyPair != nil {
		l.generateKeyPair()
	}
	return l.Driver.GenerateKeyPair(session, m, public, private)
}
