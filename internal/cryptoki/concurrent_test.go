package cryptoki_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// remote returns a Token of an HSM in the network, and the module that it is reached by.
func remote(t *testing.T, concurrent bool) (*cryptoki.Token, *interposer.Module) {
	t.Helper()
	at := softhsm.New(t, "remote")
	m := interposer.New(t, at.Module)
	m.Remote()
	c := config(at)
	c.ModulePath, c.Concurrent, c.MaxSessions = m.Path, concurrent, 5
	return open(t, c), m
}

// TestConcurrentCalls has many write, look, sign and destroy at once: calls overlap if that
// was asked for and not otherwise, in no more sessions than are allowed, and whoever looks
// finds all that was written before.
func TestConcurrentCalls(t *testing.T) {
	for name, concurrent := range map[string]bool{"one at a time": false, "overlapping": true} {
		t.Run(name, func(t *testing.T) {
			token, m := remote(t, concurrent)
			mustList(t, token)
			m.Count()
			m.Delay(time.Millisecond)
			var all sync.WaitGroup
			for i := range 12 {
				all.Go(func() {
					for j := range 5 {
						if err := live(t, token, fmt.Sprintf("%d %d", i, j)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			if n := m.Overlapped(); n > 4 || concurrent != (n > 1) {
				t.Errorf("%d calls overlapped", n)
			}
			if left := mustList(t, token); len(left) != 60 { // the records
				t.Errorf("%d objects are remembered", len(left))
			}
			if found, err := token.Search(t.Context(), nil); err != nil || len(found) != 60 {
				t.Errorf("%d objects are there, %v", len(found), err)
			}
		})
	}
}

// live is what becomes of one key, and leaves its record.
func live(t *testing.T, token *cryptoki.Token, name string) error {
	t.Helper()
	if _, err := token.CreateObject(t.Context(), record(name, []byte(name))); err != nil {
		return err
	}
	old, err := token.CreateObject(t.Context(), record(name+" before", nil))
	if err != nil {
		return err
	}
	if err := errors.Join(token.Survey(t.Context(), records()), token.DestroyObject(t.Context(), old.Handle)); err != nil {
		return err
	}
	if found, err := token.Lookup(t.Context(), cryptoki.CKA_LABEL, []byte(name)); err != nil || len(found) != 1 {
		return fmt.Errorf("%d records of %q, %w", len(found), name, err)
	}
	key, err := token.GenerateKey(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_GENERIC_SECRET_KEY_GEN}, []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bool(cryptoki.CKA_SIGN, true),
		cryptoki.Bytes(cryptoki.CKA_ID, []byte(name)), cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, 32),
	})
	if err != nil {
		return err
	}
	_, signed := token.Sign(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_SHA256_HMAC}, key.Handle, []byte(name))
	return errors.Join(signed, token.DestroyObject(t.Context(), key.Handle))
}

// TestConcurrentSessionObjects: keys of a session are made in the one that is held, or they
// would vanish with one of the pool.
func TestConcurrentSessionObjects(t *testing.T) {
	token, m := remote(t, true)
	mustList(t, token)
	opened := m.Calls(interposer.OpenSession)
	m.Count()
	key, err := token.GenerateKey(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_AES_KEY_GEN}, []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, false), cryptoki.Bool(cryptoki.CKA_ENCRYPT, true), cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := token.DestroyObject(t.Context(), key.Handle); err != nil {
		t.Fatal(err)
	}
	if n := m.Calls(interposer.OpenSession); n != 0 {
		t.Errorf("%d more sessions than %d were opened", n, opened)
	}
}

// TestConcurrentFailure: what fails in a session of the pool costs that session, and what
// others are about goes on.
func TestConcurrentFailure(t *testing.T) {
	token, m := remote(t, true)
	mustList(t, token)
	m.Count()
	m.Act(interposer.FailBefore, 20, 1, cryptoki.CKR_DEVICE_ERROR)
	errs := make([]error, 20)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = token.CreateObject(t.Context(), record(fmt.Sprint(i), nil)) })
	}
	all.Wait()
	failed := 0
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	if failed > 1 {
		t.Errorf("%d failed: %v", failed, errors.Join(errs...))
	}
	if found := mustList(t, token); len(found) < 19 {
		t.Errorf("%d objects", len(found))
	}
}

// TestConcurrentSoftHSM: a token that does not bear it is spared, whatever is asked for.
func TestConcurrentSoftHSM(t *testing.T) {
	at := softhsm.New(t, "serial")
	m := interposer.New(t, at.Module)
	c := config(at)
	c.ModulePath, c.Concurrent = m.Path, true
	token := open(t, c)
	mustList(t, token)
	m.Count()
	m.Delay(time.Millisecond)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			o, err := token.CreateObject(t.Context(), record(fmt.Sprint(i), nil))
			if err := errors.Join(err, token.Survey(t.Context(), records()), token.DestroyObject(t.Context(), o.Handle)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := m.Overlapped(); n != 1 {
		t.Errorf("%d calls overlapped", n)
	}
}

// TestParallelUse: on SoftHSM keys are used beside each other, and not beside anything else
// that is done meanwhile.
func TestParallelUse(t *testing.T) {
	at := softhsm.New(t, "parallel")
	m := interposer.New(t, at.Module)
	c := config(at)
	c.ModulePath, c.MaxSessions = m.Path, 5
	token := open(t, c)
	key, err := token.GenerateKey(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_GENERIC_SECRET_KEY_GEN}, []cryptoki.Attribute{
		cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bool(cryptoki.CKA_SIGN, true),
		cryptoki.Ulong(cryptoki.CKA_VALUE_LEN, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) []byte {
		mac, err := token.Sign(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_SHA256_HMAC}, key.Handle, []byte(text))
		if err != nil {
			t.Error(err)
		}
		return mac
	}
	want := [...]string{string(sign("0")), string(sign("1")), string(sign("2"))}
	m.Count()
	m.Delay(100 * time.Microsecond) // or calls would be too short to be seen together
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 300 {
				if mac := sign(fmt.Sprint(i % 3)); string(mac) != want[i%3] {
					t.Errorf("another MAC of %d", i%3)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 50 {
			o, err := token.CreateObject(t.Context(), record(fmt.Sprint(i), nil))
			if err := errors.Join(err, token.DestroyObject(t.Context(), o.Handle)); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if n := m.Overlapped(); n < 2 || n > 4 {
		t.Errorf("%d calls overlapped", n)
	}
	if left := mustList(t, token); len(left) != 1 {
		t.Errorf("%d objects", len(left))
	}
}
