package cryptoki_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// journal is what was logged.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) log(_ context.Context, msg string, fields map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprint(msg, " ", fields))
}

// with returns the lines that contain all texts.
func (j *journal) with(texts ...string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(j.lines), func(line string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) })
	})
}

func generateRSA(t *testing.T, token *cryptoki.Token) {
	t.Helper()
	_, _, err := token.GenerateKeyPair(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN},
		[]cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_MODULUS_BITS, 1024), cryptoki.Bytes(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})},
		[]cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_SIGN, true)})
	if err != nil {
		t.Error(err)
	}
}

// TestLongWait: a call that takes long is told while it lasts, and what it was when it is over.
func TestLongWait(t *testing.T) {
	var logged journal
	hang := make(chan struct{})
	l := &layer{generateKeyPair: func() { <-hang }}
	c := l.on(config(softhsm.New(t, "waiting"))).WithSlow(300 * time.Millisecond)
	c.Logger = logged.log
	token := open(t, c)
	var generating sync.WaitGroup
	generating.Go(func() { generateRSA(t, token) })
	const operation = "generate 1024-bit key pair by CKM_RSA_PKCS_KEY_PAIR_GEN"
	for end := time.Now().Add(10 * time.Second); len(logged.with("Waiting for the HSM", operation, "seconds:0.3")) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a call hangs and the log says %q", logged.with())
		}
	}
	close(hang)
	generating.Wait()
	if got := logged.with("The HSM was waited for", "1 × "+operation); len(got) != 1 {
		t.Errorf("logged %q", logged.with())
	}
}

// TestManyWaits: calls none of which takes long are told when together they do.
func TestManyWaits(t *testing.T) {
	var logged journal
	l := &layer{generateKeyPair: func() { time.Sleep(30 * time.Millisecond) }}
	c := l.on(config(softhsm.New(t, "waiting"))).WithSlow(time.Second)
	c.Logger = logged.log
	token := open(t, c)
	for n := 0; len(logged.with("The HSM was waited for")) == 0; n++ {
		if n == 100 {
			t.Fatalf("%d calls of at least 30 ms, and the log says %q", n, logged.with())
		}
		generateRSA(t, token)
	}
	if got := logged.with(" × generate 1024-bit key pair by CKM_RSA_PKCS_KEY_PAIR_GEN: ", "1 × log in: ", "1 × open token: "); len(got) != 1 || len(logged.with()) != 1 {
		t.Errorf("logged %q", logged.with())
	}
	if got := logged.with(softhsm.PIN); len(got) > 0 {
		t.Errorf("the PIN is in %q", got)
	}
}

// TestQuickRun: what takes a moment is not worth a line.
func TestQuickRun(t *testing.T) {
	var logged journal
	c := config(softhsm.New(t, "waiting")).WithSlow(time.Minute)
	c.Logger = logged.log
	token := open(t, c)
	generateRSA(t, token)
	mustList(t, token)
	if got := logged.with(); len(got) > 0 {
		t.Errorf("logged %q", got)
	}
}

func TestProgress(t *testing.T) {
	var logged journal
	c := config(softhsm.New(t, "progress")).WithSlow(time.Nanosecond)
	c.Logger = logged.log
	token := open(t, c)
	for i := range 70 {
		mustCreate(t, token, fmt.Sprint(i), nil)
	}
	mustList(t, token)
	if lines := logged.with("Reading the objects"); len(lines) != 2 || !strings.Contains(lines[0], "read:64") || !strings.Contains(lines[1], "read:70") {
		t.Errorf("logged %q", lines)
	}
	if len(logged.with("6 × read object: ")) == 0 {
		t.Errorf("logged %q", logged.with())
	}
}
