package cryptoki_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// records matches what record makes.
func records() []cryptoki.Attribute {
	return []cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA), cryptoki.Bytes(cryptoki.CKA_APPLICATION, []byte("test"))}
}

// counted returns two Tokens on one token, with a memory each as two runs have it, and
// what they call in the module.
func counted(t *testing.T) (ours, theirs *cryptoki.Token, calls *interposer.Module) {
	t.Helper()
	at := softhsm.New(t, "survey")
	calls = interposer.New(t, at.Module)
	c := config(at)
	c.ModulePath = calls.Path
	return open(t, c), open(t, c), calls
}

func TestSurveySeesWhatOthersDid(t *testing.T) {
	ours, theirs, calls := counted(t)
	for i := range 20 {
		mustCreate(t, ours, fmt.Sprintf("old %d", i), []byte("old"))
	}
	mustList(t, ours)
	mustCreate(t, theirs, "theirs", []byte("new"))
	gone, err := theirs.Lookup(t.Context(), cryptoki.CKA_LABEL, []byte("old 7"))
	if err != nil || len(gone) != 1 {
		t.Fatal(gone, err)
	}
	if err := theirs.DestroyObject(t.Context(), gone[0].Handle); err != nil {
		t.Fatal(err)
	}
	calls.Count()
	if err := ours.Survey(t.Context(), records()); err != nil {
		t.Fatal(err)
	}
	// One object is new, and one does not show: the others are not read.
	if n := calls.Calls(interposer.GetAttributes); n > 4 {
		t.Errorf("attributes were read %d times", n)
	}
	if n := calls.Calls(interposer.FindInit); n != 1 {
		t.Errorf("%d searches", n)
	}
	got := labels(mustList(t, ours))
	if len(got) != 20 || !slices.Contains(got, "theirs") || slices.Contains(got, "old 7") {
		t.Errorf("known are %v", got)
	}
}

// TestSurveyIsShared has many ask while the token is busy.
func TestSurveyIsShared(t *testing.T) {
	ours, theirs, calls := counted(t)
	mustList(t, ours)
	const askers = 16
	calls.Count()
	errs := make([]error, askers)
	var asking, asked sync.WaitGroup
	err := ours.Alone(t.Context(), func(context.Context) error {
		for i := range askers {
			asking.Add(1)
			asked.Go(func() {
				asking.Done()
				errs[i] = ours.Survey(t.Context(), records())
			})
		}
		asking.Wait()
		mustCreate(t, theirs, "before it begins", nil)
		return nil
	})
	asked.Wait()
	if err := errors.Join(err, errors.Join(errs...)); err != nil {
		t.Fatal(err)
	}
	// Whoever had not joined yet when the first one began has one more.
	if n := calls.Calls(interposer.FindInit); n < 1 || n > 3 {
		t.Errorf("%d searches for %d", n, askers)
	}
	if got := labels(mustList(t, ours)); !slices.Contains(got, "before it begins") {
		t.Errorf("known are %v", got)
	}
}

// TestSurveyBeginsAfterItWasAskedFor lets everybody look for what was made just before.
func TestSurveyBeginsAfterItWasAskedFor(t *testing.T) {
	ours, theirs, _ := counted(t)
	mustList(t, ours)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				label := fmt.Sprintf("%d %d", i, j)
				if _, err := theirs.CreateObject(t.Context(), record(label, nil)); err != nil {
					t.Error(err)
					return
				}
				if err := ours.Survey(t.Context(), records()); err != nil {
					t.Error(err)
					return
				}
				if found, err := ours.Lookup(t.Context(), cryptoki.CKA_LABEL, []byte(label)); err != nil || len(found) != 1 {
					t.Errorf("%q: %d objects, %v", label, len(found), err)
				}
			}
		})
	}
	all.Wait()
}

func TestSurveyFails(t *testing.T) {
	ours, _, calls := counted(t)
	mustCreate(t, ours, "one", nil)
	mustList(t, ours)
	calls.Count()
	calls.Act(interposer.FailBefore, 1, 2, cryptoki.CKR_DEVICE_ERROR)
	if err := ours.Survey(t.Context(), records()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("on a broken device: %v", err)
	}
	calls.Behave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ours.Survey(ctx, records()); !fault.Is(err, fault.Unavailable) && err != nil {
		t.Errorf("cancelled: %v", err)
	}
	if err := ours.Survey(t.Context(), records()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := ours.Alone(t.Context(), func(ctx context.Context) error { return ours.Survey(ctx, records()) }); err != nil {
		t.Errorf("by whoever is alone: %v", err)
	}
}
