package torture_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

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
// the module's and blames nobody, what is said to be done is done, nothing is lost, and
// the same verb again ends well, in the same run or in the next one.
func TestFaults(t *testing.T) {
	random := seeded(t)
	total, possible, healed, idle := 0, 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(verbs())) {
		v := verbs()[name]
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			began := b.prepare(v)
			before := b.inventory()
			calls := b.calls(v, 0)
			clean := b.inventory()
			cases := shard(failures(calls, random))
			possible += len(cases)
			if !long() {
				cases = cases[:min(len(cases), 8)]
			}
			for _, f := range cases {
				began.restore(t)
				switch b.fails(v, f, before, clean, random.IntN(2) == 0) {
				case neverCalled:
					idle++
				case unharmed:
					healed++
				}
				total++
				if t.Failed() && !long() {
					return
				}
			}
		})
	}
	if idle*100 > total {
		t.Errorf("in %d of %d cases nothing failed: the call did not come", idle, total)
	}
	summarise(t, "faults of the module", total-idle, "of %d calls × codes × forms, %d of them without any effect", possible, healed)
}

// calls counts the calls of a verb, without those by which a run finds out what the
// token can do: they are a verb of their own. Each call takes so much longer.
func (b *bench) calls(v verb, delay time.Duration) int {
	services, end := b.run()
	defer end()
	b.begin(v, services)
	b.module.Delay(delay)
	defer b.module.Behave()
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

// effect is what a failing call came to.
type effect uint8

const (
	neverCalled effect = iota // the verb took another way
	unharmed                  // the verb was carried out all the same
	reported                  // as an error
)

// fails carries out a verb with one failing call, and then once more.
func (b *bench) fails(v verb, f failure, before, clean *inventory.Inventory, sameRun bool) effect {
	b.t.Helper()
	say := func(format string, args ...any) { b.t.Errorf("%v: %s", f, fmt.Sprintf(format, args...)) }
	services, end := b.run()
	b.begin(v, services)
	b.module.Act(f.how, f.call, 1, f.code)
	err := v.do(b.t.Context(), services)
	times, on := b.module.Acted()
	b.module.Behave()
	if times == 0 && err == nil {
		end()
		return neverCalled
	}
	if err != nil {
		if wrong := misleading(err, on, f.code); wrong != "" {
			say("%s: %s: %v", on, wrong, err)
		}
	}
	if err != nil && f.how == interposer.FailBefore && slices.Contains(losses, f.code) && !slices.Contains(opening, on.String()) {
		say("%s: a lost session is not healed: %v", on, err)
	}
	if logins := b.module.Calls(interposer.Login); logins > 2 {
		say("%d logins", logins)
	}
	if err == nil && !sameRun { // what was said to be done
		end()
		after := b.inventory()
		if bad := slices.Concat(after.Violations(), after.Lost(before), after.Astray(before, clean)); len(bad) > 0 {
			say("%s: %q", on, bad)
		}
		if got, want := after.Shape(), clean.Shape(); got != want {
			say("%s: no error, and there is\n%s\nwhere there should be\n%s", on, got, want)
		}
		return unharmed
	}
	came := unharmed
	if err != nil {
		came = reported
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
	if bad := slices.Concat(after.Violations(), after.Lost(before), after.Astray(before, clean)); len(bad) > 0 {
		say("then again, in the same run: %v: %q", sameRun, bad)
	}
	return came
}

// misleading says what is wrong with an error that a failing module caused.
func misleading(err error, on interposer.Function, code uint) string {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		return "this is no fault"
	case !slices.Contains(blameless, f.Kind):
		return fmt.Sprintf("this says %q", f.Kind)
	case f.Op == "" || !strings.Contains(err.Error(), on.String()+": "+cryptoki.ReturnName(code)):
		return "this does not name the call that failed"
	}
	return ""
}
