package torture_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/interposer"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// codes are what a network HSM returns on a bad day.
var codes = []uint{
	cryptoki.CKR_HOST_MEMORY, cryptoki.CKR_GENERAL_ERROR, cryptoki.CKR_FUNCTION_FAILED, cryptoki.CKR_DEVICE_ERROR, cryptoki.CKR_DEVICE_MEMORY,
	cryptoki.CKR_DEVICE_REMOVED, cryptoki.CKR_FUNCTION_CANCELED, cryptoki.CKR_OPERATION_ACTIVE, cryptoki.CKR_OPERATION_NOT_INITIALIZED,
	cryptoki.CKR_PIN_LOCKED, cryptoki.CKR_SESSION_CLOSED, cryptoki.CKR_SESSION_COUNT, cryptoki.CKR_SESSION_HANDLE_INVALID,
	cryptoki.CKR_TOKEN_NOT_PRESENT, cryptoki.CKR_TOKEN_NOT_RECOGNIZED, cryptoki.CKR_USER_NOT_LOGGED_IN, cryptoki.CKR_CRYPTOKI_NOT_INITIALIZED,
}

// losses are those which say that nothing was done because the session was gone, and
// opening the calls by which it is opened again: what fails in these is not repeated.
var (
	losses  = []uint{cryptoki.CKR_SESSION_HANDLE_INVALID, cryptoki.CKR_SESSION_CLOSED, cryptoki.CKR_USER_NOT_LOGGED_IN}
	opening = []string{"C_GetInfo", "C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_CloseSession", "C_GetSessionInfo", "C_Login"}
)

// blameless is what an error may be when the module failed: nothing that says what is on
// the token, or that somebody did something wrong.
var blameless = []fault.Kind{fault.Unavailable, fault.Exhausted, fault.Denied}

// failure is one call that fails, in one way.
type failure struct {
	call int
	how  interposer.Action
	code uint
}

func (f failure) String() string {
	return fmt.Sprintf("call %d, %s, %v", f.call, f.how, cryptoki.ReturnName(f.code))
}

// failures lists every call × every code × both forms, in random order.
func failures(calls int, random *rand.Rand) (all []failure) {
	for n := 1; n <= calls; n++ {
		for _, code := range codes {
			all = append(all, failure{n, interposer.FailBefore, code}, failure{n, interposer.FailAfter, code})
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestFaults fails single calls of each verb, and checks what comes of it: the error is
// the module's and blames nobody, nothing is lost, and the same verb again ends well, in
// the same run or in the next one.
func TestFaults(t *testing.T) {
	random := seeded(t)
	total, possible, healed := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(verbs())) {
		v := verbs()[name]
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			began := b.prepare(v)
			cases := shard(failures(b.calls(v), random))
			possible += len(cases)
			if !long() {
				cases = cases[:min(len(cases), 8)]
			}
			began.restore(t)
			before := b.inventory()
			for _, f := range cases {
				began.restore(t)
				if b.fails(v, f, before, random.IntN(2) == 0) {
					healed++
				}
				total++
				if t.Failed() && !long() {
					return
				}
			}
		})
	}
	summarise(t, "faults of the module", total, "of %d calls × codes × forms, %d of them without any effect", possible, healed)
}

// calls counts the calls of a verb, without those by which a run finds out what the
// token can do: they are a verb of their own.
func (b *bench) calls(v verb) int {
	services, end := b.run()
	defer end()
	b.begin(v, services)
	if err := v.do(b.t.Context(), services); err != nil {
		b.t.Fatalf("undisturbed: %v", err)
	}
	return b.module.Counted()
}

// begin has a run find out what the token can do, and counts from there.
func (b *bench) begin(v verb, services *provider.Services) {
	if !v.cold {
		if _, err := services.Keys.Capabilities(b.t.Context()); err != nil {
			b.t.Fatalf("undisturbed: %v", err)
		}
	}
	b.module.Count()
}

// fails carries out a verb with one failing call, and reports whether that had no effect.
func (b *bench) fails(v verb, f failure, before *inventory.Inventory, sameRun bool) (unharmed bool) {
	b.t.Helper()
	say := func(format string, args ...any) { b.t.Errorf("%v: %s", f, fmt.Sprintf(format, args...)) }
	services, end := b.run()
	b.begin(v, services)
	b.module.Act(f.how, f.call, 1, f.code)
	err := v.do(b.t.Context(), services)
	b.module.Behave()
	if err != nil {
		if wrong := misleading(err); wrong != "" {
			say("%s: %v", wrong, err)
		}
	}
	unharmed = err == nil
	if _, on := b.module.Acted(); err != nil && f.how == interposer.FailBefore && slices.Contains(losses, f.code) && !slices.Contains(opening, on.String()) {
		say("%s: a lost session is not healed: %v", on, err)
	}
	if logins := b.module.Calls(interposer.Login); logins > 2 {
		say("%d logins", logins)
	}

	// A refused PIN is final for the process, whoever refused it.
	if sameRun && fault.KindOf(err) != fault.Denied {
		err = v.do(b.t.Context(), services)
	} else {
		end()
		if fault.KindOf(err) == fault.Denied {
			b.forget()
		}
		services, end = b.run()
		err = v.do(b.t.Context(), services)
	}
	if err != nil {
		say("then again, in the same run: %v: %v", sameRun, err)
	}
	end()
	after := b.inventory()
	if bad := append(after.Violations(), after.Lost(before)...); len(bad) > 0 {
		say("then again, in the same run: %v: %q", sameRun, bad)
	}
	return unharmed
}

// misleading says what is wrong with an error that a failing module caused.
func misleading(err error) string {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		return "this is no fault"
	case !slices.Contains(blameless, f.Kind):
		return fmt.Sprintf("this says %q", f.Kind)
	case f.Op == "" || !hasCode(err):
		return "this does not name the call that failed"
	}
	return ""
}

// hasCode reports whether an error names a PKCS#11 function and code somewhere.
func hasCode(err error) bool {
	_, ok := cryptoki.Code(err)
	return ok
}
