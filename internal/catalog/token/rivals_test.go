package token_test

import (
	"fmt"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// TestKilled kills a run at every call that it makes, before the token has seen it
// and after it has carried it out. Afterwards there is the old record or the new
// one, and work goes on.
func TestKilled(t *testing.T) {
	for _, verb := range []string{"create", "replace"} {
		for _, call := range []string{"Survey", "CreateObject", "DestroyObject"} {
			for _, nth := range []int{1, 2} {
				for _, when := range []string{"before", "after"} {
					t.Run(fmt.Sprintf("%s/%s/%s %d", verb, when, call, nth), func(t *testing.T) { testKilled(t, verb, call, nth, when) })
				}
			}
		}
	}
}

func testKilled(t *testing.T, verb, call string, nth int, when string) {
	b := newBench(t)
	r := &rig{Store: device(t, b.Token)}
	killed := keys(r)
	old := 0
	var do func() (catalog.Record[*keyring.Key], error)
	if verb == "create" {
		do = func() (catalog.Record[*keyring.Key], error) { return killed.Create(t.Context(), key("k", 2)) }
	} else {
		record := b.create(t, "k")
		old = 1
		do = func() (catalog.Record[*keyring.Key], error) { return killed.Replace(t.Context(), record, key("k", 2)) }
	}
	if when == "before" {
		r.before = r.kill(call, nth)
	} else {
		r.after = r.kill(call, nth)
	}
	_, err := do()
	// Removing what is old may fail; the record is there all the same.
	if err != nil && !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}

	next := keys(device(t, b.Token))
	got, loadErr := next.Load(t.Context(), "k")
	switch {
	case old == 0 && err != nil && fault.Is(loadErr, fault.NotFound):
		if got, loadErr = next.Create(t.Context(), key("k", 3)); loadErr != nil {
			t.Fatal(loadErr)
		}
	case loadErr != nil:
		t.Fatal(loadErr)
	case got.Body.Counter != 2 && (err == nil || got.Body.Counter != old):
		t.Errorf("loaded %+v after %v", got.Body, err)
	}
	if _, err := next.Replace(t.Context(), got, key("k", 4)); err != nil {
		t.Fatal(err)
	}
	if n := len(b.objects(t, "key/k")); n != 1 {
		t.Errorf("%d objects are left", n)
	}
}

// TestRivals lets a rival do its whole work at every point of another's. Ids are
// random, so that each meeting is repeated until both have been the smaller one.
func TestRivals(t *testing.T) {
	for _, verb := range []string{"create", "replace"} {
		for _, point := range []struct {
			when, call string
			nth        int
		}{
			{"before", "Lookup", 1},
			{"before", "CreateObject", 1}, // found the way free …
			{"after", "CreateObject", 1},  // … has written, does not know yet
			{"after", "Survey", 1},        // … knows, has not cleared up
			{"before", "DestroyObject", 1},
		} {
			t.Run(fmt.Sprintf("%s/%s %s %d", verb, point.when, point.call, point.nth), func(t *testing.T) {
				b := newBench(t)
				for round := range 8 {
					name := fmt.Sprintf("k%d", round)
					var record catalog.Record[*keyring.Key]
					if verb == "replace" {
						record = b.create(t, name)
					}
					write := func(c catalog.Records[*keyring.Key], counter int) (catalog.Record[*keyring.Key], error) {
						if verb == "create" {
							return c.Create(t.Context(), key(name, counter))
						}
						return c.Replace(t.Context(), record, key(name, counter))
					}
					r := &rig{Store: device(t, b.Token)}
					met := false
					var rivalErr error
					meet := func(call string) error {
						if call == point.call && r.calls[call] == point.nth && !met {
							met = true
							_, rivalErr = write(keys(device(t, b.Token)), 20)
						}
						return nil
					}
					if point.when == "before" {
						r.before = meet
					} else {
						r.after = meet
					}
					_, err := write(keys(r), 10)
					if !met && point.call != "DestroyObject" {
						t.Fatal("they did not meet")
					}
					won := 0
					if err == nil {
						won = 10
					} else if !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Exists) {
						t.Errorf("%v", err)
					}
					if met && rivalErr == nil {
						if won != 0 {
							t.Error("both won")
						}
						won = 20
					} else if met && !fault.Is(rivalErr, fault.Conflict) && !fault.Is(rivalErr, fault.Exists) {
						t.Errorf("the rival: %v", rivalErr)
					}
					got, err := keys(device(t, b.Token)).Load(t.Context(), name)
					switch {
					case won == 0 && verb == "create" && fault.Is(err, fault.NotFound):
					case err != nil:
						t.Fatal(err)
					case won != 0 && got.Body.Counter != won:
						t.Errorf("%d won, stored is %d", won, got.Body.Counter)
					}
				}
			})
		}
	}
}

// TestDeadRival: a writer that was killed after it wrote, beside one that had won
// already. Nobody can tell which counts; nobody must guess.
func TestDeadRival(t *testing.T) {
	b := newBench(t)
	record := b.create(t, "k")
	r := &rig{Store: device(t, b.Token)}
	var rivalErr error
	r.before = func(call string) error {
		if call == "CreateObject" {
			_, rivalErr = b.Replace(t.Context(), record, key("k", 20))
			r.before = nil
		}
		return nil
	}
	r.after = r.kill("CreateObject", 1)
	if _, err := keys(r).Replace(t.Context(), record, key("k", 10)); !fault.Is(err, fault.Unavailable) || rivalErr != nil {
		t.Fatalf("%v, %v", err, rivalErr)
	}
	c := keys(device(t, b.Token))
	if _, err := c.Load(t.Context(), "k"); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
	if _, err := c.Replace(t.Context(), record, key("k", 30)); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
	if n := len(b.objects(t, "key/k")); n != 2 {
		t.Errorf("%d objects", n)
	}
}

// TestLateRival: one who wrote when the record had won already, and has not given up
// yet, does not keep the winner from going on.
func TestLateRival(t *testing.T) {
	b := newBench(t)
	winner := keys(device(t, b.Token))
	late := &rig{Store: device(t, b.Token)}
	if _, err := keys(late).List(t.Context()); err != nil { // nothing is there
		t.Fatal(err)
	}
	record, err := winner.Create(t.Context(), key("k", 1))
	if err != nil {
		t.Fatal(err)
	}
	late.after = late.kill("CreateObject", 1)
	if _, err := keys(late).Create(t.Context(), key("k", 10)); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("%v", err)
	}
	if n := len(b.objects(t, "key/k")); n != 2 {
		t.Fatalf("%d objects: they did not meet", n)
	}
	if _, err := winner.Replace(t.Context(), record, key("k", 2)); err != nil {
		t.Fatal(err)
	}
	if got, err := keys(device(t, b.Token)).Load(t.Context(), "k"); err != nil || got.Body.Counter != 2 {
		t.Errorf("%+v, %v", got.Body, err)
	}
	if n := len(b.objects(t, "key/k")); n != 1 {
		t.Errorf("%d objects are left", n)
	}
}

// TestWithdrawnRead: a reader got a record that its writer then withdrew. It has
// the generation and the id of the one that won, and still is not that one.
func TestWithdrawnRead(t *testing.T) {
	b := newBench(t)
	seen := false
	for round := 0; round < 20 && !seen; round++ {
		name := fmt.Sprintf("k%d", round)
		record := b.create(t, name)
		reader := keys(device(t, b.Token))
		var read catalog.Record[*keyring.Key]
		loser := &rig{Store: device(t, b.Token)}
		winner := &rig{Store: device(t, b.Token)}
		var loserErr error
		// The winner has found the way free when the loser begins; the reader reads
		// when the loser has written, and the winner writes then.
		proceed, done := make(chan struct{}), make(chan struct{})
		winner.before = func(call string) error {
			if call == "CreateObject" {
				go func() {
					defer close(done)
					_, loserErr = keys(loser).Replace(t.Context(), record, key(name, 10))
				}()
				<-proceed
			}
			return nil
		}
		written := make(chan struct{})
		winner.after = func(call string) error {
			if call == "CreateObject" {
				close(written)
			}
			return nil
		}
		loser.after = func(call string) error {
			if call == "CreateObject" {
				var err error
				if read, err = reader.Load(t.Context(), name); err != nil {
					t.Error(err)
				}
				close(proceed)
				<-written
			}
			return nil
		}
		_, err := keys(winner).Replace(t.Context(), record, key(name, 20))
		<-done
		if err != nil || !fault.Is(loserErr, fault.Conflict) || read.Body.Counter != 10 {
			continue // the other one had the smaller id
		}
		seen = true
		if _, err := reader.Replace(t.Context(), read, key(name, 30)); !fault.Is(err, fault.Conflict) {
			t.Errorf("replaced from a record that was withdrawn: %v", err)
		}
		if got, err := reader.Load(t.Context(), name); err != nil || got.Body.Counter != 20 {
			t.Errorf("%+v, %v", got.Body, err)
		}
	}
	if !seen {
		t.Error("the meeting never came about")
	}
}

// TestOneScan: reading many records costs no search each.
func TestOneScan(t *testing.T) {
	b := newBench(t)
	const many = 50
	for n := range many {
		b.create(t, fmt.Sprintf("k%d", n))
	}
	r := &rig{Store: device(t, b.Token)}
	c := keys(r)
	for n := range many {
		if _, err := c.Load(t.Context(), fmt.Sprintf("k%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != many {
		t.Errorf("%d, %v", len(list), err)
	}
	if r.calls["Search"]+r.calls["Survey"] != 0 || r.calls["ConfirmAbsent"] != 0 {
		t.Errorf("%v", r.calls)
	}
}
