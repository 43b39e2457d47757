package cryptoki_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

func TestInfoNeedsNoLogin(t *testing.T) {
	soft := softhsm.New(t, "info")
	var l layer
	c := l.on(config(soft))
	c.PIN = func() ([]byte, error) {
		t.Error("the PIN was asked for")
		return nil, nil
	}
	token := open(t, c)
	info, err := token.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Label != "info" || info.Serial != soft.Serial || info.Model != "SoftHSM v2" || !strings.HasPrefix(info.Manufacturer, "SoftHSM") {
		t.Errorf("info is %+v", info)
	}
	if !slices.Contains(info.Flags, "login_required") || !slices.IsSorted(info.Flags) {
		t.Errorf("flags are %v", info.Flags)
	}
	if info.MaxSessions != 0 || info.Sessions != -1 {
		t.Errorf("sessions are %d of %d, SoftHSM tells no number and has no limit", info.Sessions, info.MaxSessions)
	}
	mechanisms, err := token.Mechanisms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if uses := mechanisms[cryptoki.CKM_ECDSA].Uses(); !slices.Contains(uses, "sign") {
		t.Errorf("ECDSA is for %v", uses)
	}
	if profile, err := token.Profile(t.Context()); err != nil || profile.Name != "SoftHSM" || !profile.CopyToChange {
		t.Errorf("profile is %+v, %v", profile, err)
	}
	if n := l.logins.Load(); n != 0 {
		t.Errorf("there were %d logins", n)
	}
}

func TestModuleIsSharedAndReleased(t *testing.T) {
	store := softhsm.NewStore(t)
	one, two := store.Init(t, "one"), store.Init(t, "two")
	link := filepath.Join(t.TempDir(), "module.so")
	if err := os.Symlink(one.Module, link); err != nil {
		t.Fatal(err)
	}
	var l layer
	first := cryptoki.New(l.on(config(one)))
	c := config(two)
	c.ModulePath = link
	second := cryptoki.New(c) // the same module by another name: gets the same driver
	for _, token := range []*cryptoki.Token{first, second} {
		if list, err := token.Objects(t.Context()); err != nil || len(list) != 0 {
			t.Fatalf("got %v, %v", list, err)
		}
	}
	if n := l.initialized.Load(); n != 1 {
		t.Errorf("the module was initialised %d times", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n := l.finalized.Load(); n != 0 {
		t.Errorf("the module was finalised while it was in use")
	}
	if _, err := second.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 16, true, "key")); err != nil {
		t.Errorf("the second token after the first was closed: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if l.finalized.Load() != 1 || l.unloaded.Load() != 1 || l.sessions.Load() != 0 {
		t.Errorf("at the end %d finalised, %d unloaded, %d sessions open", l.finalized.Load(), l.unloaded.Load(), l.sessions.Load())
	}
	third := open(t, config(two))
	if list, err := third.Objects(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("opened again: %v, %v", list, err)
	}
}

func TestUseAfterClose(t *testing.T) {
	token := cryptoki.New(config(softhsm.New(t, "closed")))
	if _, err := token.Objects(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := token.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	calls := map[string]func() error{
		"Info":          func() error { _, err := token.Info(ctx); return err },
		"Mechanisms":    func() error { _, err := token.Mechanisms(ctx); return err },
		"Profile":       func() error { _, err := token.Profile(ctx); return err },
		"Objects":       func() error { _, err := token.Objects(ctx); return err },
		"Search":        func() error { _, err := token.Search(ctx, nil); return err },
		"ConfirmAbsent": func() error { return token.ConfirmAbsent(ctx, nil) },
		"DestroyObject": func() error { return token.DestroyObject(ctx, 1) },
		"Sign":          func() error { _, err := token.Sign(ctx, mechanism(cryptoki.CKM_ECDSA), 1, nil); return err },
		"GenerateKey":   func() error { _, err := token.GenerateKey(ctx, mechanism(cryptoki.CKM_AES_KEY_GEN), nil); return err },
	}
	for name, call := range calls {
		if err := call(); !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := cryptoki.New(cryptoki.Config{}).Close(); err != nil {
		t.Errorf("closing what was never used: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	token := open(t, config(softhsm.New(t, "cancelled")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := token.Objects(ctx)
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := token.Objects(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestModuleErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"none", "", "No module was given"},
		{"no such file", filepath.Join(dir, "missing.so"), "There is no such file"},
		{"directory", dir, "not a file"},
		{"no library", text, "cannot be loaded as a library"},
		{"no module", library(t), "no C_GetFunctionList"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, cryptoki.Config{ModulePath: test.path}).Info(t.Context())
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want invalid with %q", err, test.want)
			}
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Hint == "" {
				t.Errorf("no hint in %v", err)
			}
		})
	}
}

// library finds some library that is no PKCS#11 module.
func library(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/lib/*/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6", "/usr/lib/libz.dylib"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("no library was found to try")
	return ""
}

// TestConcurrency has 32 goroutines do everything at once, as Terraform does.
func TestConcurrency(t *testing.T) {
	soft := softhsm.New(t, "busy")
	var l layer
	c := l.on(config(soft))
	c.MaxSessions = 4
	token := open(t, c)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			label := fmt.Sprint("key ", i)
			o, err := token.GenerateKey(t.Context(), mechanism(cryptoki.CKM_AES_KEY_GEN), secret(cryptoki.CKK_AES, 32, true, label))
			if err != nil {
				t.Error(err)
				return
			}
			if string(o.Bytes(cryptoki.CKA_LABEL)) != label {
				t.Errorf("made %q, got %q", label, o.Bytes(cryptoki.CKA_LABEL))
			}
			for range 5 {
				if _, err := token.Encrypt(t.Context(), mechanism(cryptoki.CKM_AES_ECB), o.Handle, make([]byte, 16)); err != nil {
					t.Error(err)
				}
				found, err := token.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_ID, []byte(label))})
				if err != nil || len(found) != 1 || found[0].Handle != o.Handle {
					t.Errorf("%s: found %v, %v", label, found, err)
				}
			}
			if _, err := token.Objects(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := l.sessions.Load(); n > 4 {
		t.Errorf("%d sessions are open, at most 4 are allowed", n)
	}
	if list, err := token.Objects(t.Context()); err != nil || len(list) != 32 {
		t.Errorf("%d objects, %v", len(list), err)
	}
	if n := l.logins.Load(); n != 1 {
		t.Errorf("there were %d logins", n)
	}
}
