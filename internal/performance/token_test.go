package performance_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// connect logs in to a token, in this process.
func connect(t *testing.T, token *softhsm.Token) *cryptoki.Token {
	t.Helper()
	device := cryptoki.New(cryptoki.Config{
		ModulePath: token.Module, Select: cryptoki.Selector{Label: token.Label},
		PIN: func() ([]byte, error) { return []byte(softhsm.PIN), nil },
	})
	// As in C, the module's first look at its store is not measured.
	nothing := []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte("no object has this label"))}
	if found, err := device.Search(t.Context(), nothing); err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	return device
}

// scan compares a scan of all objects with a listing that reads the same attributes.
func scan(keys int) func(*testing.T, *lab) race {
	return func(t *testing.T, l *lab) race {
		token, _ := l.environment(t, shape{keys: keys}).open(t, l)
		var objects float64
		return race{
			ours: func() float64 {
				device := connect(t, token)
				defer func() { _ = device.Close() }()
				begin := time.Now()
				all, err := device.Objects(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				objects = float64(len(all))
				return objects / time.Since(begin).Seconds()
			},
			baseline: func() float64 { return l.inC(t, token, "list") },
			remark:   func() string { return fmt.Sprintf("%g objects", objects) },
		}
	}
}

// signing is a way to sign.
type signing struct {
	algorithm keyring.Algorithm
	class     uint
	mechanism uint
	length    int // of what is signed
}

var signings = map[string]signing{
	"P-256":       {keyring.ECP256, cryptoki.CKO_PRIVATE_KEY, cryptoki.CKM_ECDSA, 32},
	"Ed25519":     {keyring.Ed25519, cryptoki.CKO_PRIVATE_KEY, cryptoki.CKM_EDDSA, 64},
	"HMAC-SHA256": {keyring.HMACSHA256, cryptoki.CKO_SECRET_KEY, cryptoki.CKM_SHA256_HMAC, 64},
	"RSA-2048":    {keyring.RSA2048, cryptoki.CKO_PRIVATE_KEY, cryptoki.CKM_SHA256_RSA_PKCS, 64},
}

// sign compares signatures by the layer that all use of keys goes through with the same
// calls from C, on as many threads. A C program has a session for each.
func sign(name string, threads int) func(*testing.T, *lab) race {
	const long = 500 * time.Millisecond
	return func(t *testing.T, l *lab) race {
		s := signings[name]
		token := softhsm.New(t, label)
		each(t, token, 1, func(ctx context.Context, services *provider.Services, _ int) error {
			_, err := services.Keys.Create(ctx, keyring.Spec{
				Name: "signer", Algorithm: s.algorithm, Operations: s.algorithm.DefaultOperations(), Enabled: true, OnDestroy: keyring.DestroyDestroys,
			})
			return err
		})
		device := connect(t, token)
		t.Cleanup(func() { _ = device.Close() })
		found, err := device.Search(t.Context(), []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, s.class)})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		key := found[0]
		return race{
			ours: func() float64 {
				return together(t, threads, long, func() error {
					_, err := device.Sign(t.Context(), cryptoki.Mechanism{Code: s.mechanism}, key.Handle, make([]byte, s.length))
					return err
				})
			},
			baseline: func() float64 {
				return l.inC(t, token, "sign", string(key.Bytes(cryptoki.CKA_LABEL)), strconv.Itoa(int(s.mechanism)), strconv.Itoa(s.length),
					strconv.Itoa(threads), strconv.Itoa(int(long.Milliseconds())))
			},
		}
	}
}

// together does something over and over on several goroutines, and returns how often it
// was done in a second.
func together(t *testing.T, threads int, long time.Duration, do func() error) float64 {
	t.Helper()
	var group sync.WaitGroup
	var done atomic.Int64
	failures := make([]error, threads)
	begin := time.Now()
	for i := range threads {
		group.Go(func() {
			for time.Since(begin) < long && failures[i] == nil {
				failures[i] = do()
				done.Add(1)
			}
		})
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	return float64(done.Load()) / seconds
}
