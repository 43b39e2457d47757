package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// orders is the key that these tests are about.
func orders() keyring.Spec {
	return keyring.Spec{
		Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables,
	}
}

var weekly = rotation.Schedule{Every: 7 * 24 * time.Hour, Overlap: time.Hour, RetireAction: keyring.RetireDisables}

// created makes the key at version 1.
func created(t *testing.T, m *lifecycletest.Memory) {
	t.Helper()
	must[*keyring.Key](t)(m.Run().Create(context.Background(), orders()))
}

// withKey returns a token with the key at version 1.
func withKey(t *testing.T) *lifecycletest.Memory {
	t.Helper()
	m := lifecycletest.New(noon)
	created(t, m)
	return m
}

// claimed has a rotation take the key over as it is.
func claimed(t *testing.T, s *lifecycle.Service) {
	t.Helper()
	if _, instance, err := s.Rotate(context.Background(), "orders", weekly); err != nil || instance != 1 {
		t.Fatalf("Rotate made instance %d, %v; want it to claim version 1", instance, err)
	}
}

// rotatedOnce has a rotation claim version 1 and then make version 2.
func rotatedOnce(t *testing.T, s *lifecycle.Service, schedule rotation.Schedule) {
	t.Helper()
	for want := 1; want <= 2; want++ {
		if _, instance, err := s.Rotate(context.Background(), "orders", schedule); err != nil || instance != want {
			t.Fatalf("Rotate made instance %d, %v; want %d", instance, err, want)
		}
	}
}

// inOrder checks what must hold whenever no verb is under way.
func inOrder(t *testing.T, m *lifecycletest.Memory) {
	t.Helper()
	if bad := m.Violations("orders"); bad != nil {
		t.Error(bad)
	}
}

// wantFault checks an error's kind, and that it tells a user something.
func wantFault(t *testing.T, err error, want fault.Kind, says string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != want {
		t.Fatalf("got %v, want a fault of kind %q", err, want)
	}
	if !strings.Contains(f.Problem+f.Hint, says) {
		t.Errorf("the message does not say %q:\n%s\n%s", says, f.Problem, f.Hint)
	}
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
