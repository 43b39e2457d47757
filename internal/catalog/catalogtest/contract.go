package catalogtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Store is what an implementation offers: the mark of the environment, and the
// records of one kind.
type Store[T catalog.Body[T]] interface {
	environment.Marker
	catalog.Records[T]
}

// Suite is what it takes to hold an implementation to the contract, for one kind of
// records.
type Suite[T catalog.Body[T]] struct {
	// Fresh makes a new, empty place for one test. What it returns opens that place
	// once more, as another process would: the stores share what is stored and
	// nothing else.
	Fresh func(t *testing.T) func() Store[T]
	// Body makes a body with something in every field. The same arguments give
	// equal bodies, other arguments other ones.
	Body func(name string, n int) T
	// Spoil changes what a body holds by reference, and its name.
	Spoil func(T)
}

// Run holds an implementation to the contract.
func (s Suite[T]) Run(t *testing.T) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, func() Store[T]){
		"empty":              s.testEmpty,
		"stamp":              s.testStamp,
		"unstamped":          s.testUnstamped,
		"round trip":         s.testRoundTrip,
		"look":               s.testLook,
		"marks":              s.testMarks,
		"list":               s.testList,
		"exists":             s.testExists,
		"stale":              s.testStale,
		"callers' copies":    s.testCopies,
		"rivals creating":    s.testRivalsCreating,
		"rivals replacing":   s.testRivalsReplacing,
		"rivals stamping":    s.testRivalsStamping,
		"another run's work": s.testAnotherRun,
	} {
		t.Run(name, func(t *testing.T) { test(t, s.Fresh(t)) })
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t *testing.T, err error, kinds ...fault.Kind) {
	t.Helper()
	if !slices.ContainsFunc(kinds, func(k fault.Kind) bool { return fault.Is(err, k) }) {
		t.Errorf("%v; expected a fault of %v", err, kinds)
	}
	if f := (*fault.Error)(nil); err != nil && !errors.As(err, &f) {
		t.Errorf("%T is not a *fault.Error", err)
	}
}

func wantEnvironment(t *testing.T, c environment.Marker, want string) {
	t.Helper()
	if got := must[string](t)(c.Environment(t.Context())); got != want {
		t.Errorf("environment %q, expected %q", got, want)
	}
}

func wantRecord[T catalog.Body[T]](t *testing.T, c catalog.Records[T], want T, generation int, id string) catalog.Record[T] {
	t.Helper()
	r := must[catalog.Record[T]](t)(c.Load(t.Context(), want.RecordName()))
	if !reflect.DeepEqual(r.Body, want) || r.Generation != generation || id != "" && r.ID != id {
		t.Errorf("loaded generation %d (expected %d) of %q (expected %q), %+v (expected %+v)", r.Generation, generation, r.ID, id, r.Body, want)
	}
	return r
}

func (s Suite[T]) testEmpty(t *testing.T, open func() Store[T]) {
	c := open()
	wantEnvironment(t, c, "")
	_, err := c.Load(t.Context(), "k")
	// Without a stamp there may be no positive evidence that a record is missing.
	wantKind(t, err, fault.NotFound, fault.Unavailable)
	if list := must[[]catalog.Record[T]](t)(c.List(t.Context())); len(list) != 0 {
		t.Errorf("listed %v", list)
	}
	if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Load(t.Context(), "k")
	wantKind(t, err, fault.NotFound)
}

func (s Suite[T]) testStamp(t *testing.T, open func() Store[T]) {
	c := open()
	for range 2 {
		if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
			t.Fatal(err)
		}
		wantEnvironment(t, c, "test")
	}
	other := open()
	wantEnvironment(t, other, "test")
	for _, o := range []Store[T]{c, other} {
		wantKind(t, o.Stamp(t.Context(), "prod", "somebody else"), fault.Environment)
		wantKind(t, o.Stamp(t.Context(), "", "nobody"), fault.Invalid)
		wantEnvironment(t, o, "test")
	}
}

func (s Suite[T]) testUnstamped(t *testing.T, open func() Store[T]) {
	must[catalog.Record[T]](t)(open().Create(t.Context(), s.Body("k", 1)))
	c := open()
	_, err := c.Environment(t.Context())
	wantKind(t, err, fault.Inconsistent)
	wantKind(t, c.Stamp(t.Context(), "test", "somebody"), fault.Inconsistent)
}

func (s Suite[T]) testRoundTrip(t *testing.T, open func() Store[T]) {
	c := open()
	if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	want := s.Body("k", 1)
	r := must[catalog.Record[T]](t)(c.Create(t.Context(), want))
	id := r.ID
	if r.Generation != 1 || id == "" || !reflect.DeepEqual(r.Body, want) {
		t.Errorf("created %+v", r)
	}
	wantRecord(t, c, want, 1, id)
	wantRecord(t, open(), want, 1, id)
	for generation := 2; generation < 6; generation++ {
		want = s.Body("k", generation)
		r = must[catalog.Record[T]](t)(c.Replace(t.Context(), r, want))
		if r.Generation != generation || r.ID != id || !reflect.DeepEqual(r.Body, want) {
			t.Errorf("replaced by %+v", r)
		}
		r = wantRecord(t, c, want, generation, id)
		wantRecord(t, open(), want, generation, id)
	}
}

// testLook asks what another one wrote since the scan.
func (s Suite[T]) testLook(t *testing.T, open func() Store[T]) {
	c, other := open(), open()
	if err := c.Stamp(t.Context(), "test", "ada"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Look(t.Context(), "k")
	wantKind(t, err, fault.NotFound)
	first := must[catalog.Record[T]](t)(other.Create(t.Context(), s.Body("k", 1)))
	for n := 2; n < 5; n++ {
		first = must[catalog.Record[T]](t)(other.Replace(t.Context(), first, s.Body("k", n)))
		seen := must[catalog.Record[T]](t)(c.Look(t.Context(), "k"))
		if seen.Generation != n || seen.ID != first.ID || !reflect.DeepEqual(seen.Body, s.Body("k", n)) {
			t.Errorf("seen is generation %d, written was %d", seen.Generation, n)
		}
	}
}

// testMarks tells a record from older ones and from others.
func (s Suite[T]) testMarks(t *testing.T, open func() Store[T]) {
	c := open()
	if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	first := must[catalog.Record[T]](t)(c.Create(t.Context(), s.Body("k", 1)))
	second := must[catalog.Record[T]](t)(c.Replace(t.Context(), first, s.Body("k", 2)))
	later, other := second, second
	later.Generation, other.ID = 3, "another"
	for _, fine := range []string{"", "nonsense", first.Mark(), second.Mark()} {
		if err := catalog.Follows(t.Context(), open(), "k", fine, "it"); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
	for _, mark := range []string{later.Mark(), other.Mark()} {
		wantKind(t, catalog.Follows(t.Context(), open(), "k", mark, "it"), fault.Inconsistent)
		if err := catalog.Follows(t.Context(), c, "k2", mark, "it"); err != nil {
			t.Errorf("a record that is not there: %v", err)
		}
	}
}

func (s Suite[T]) testList(t *testing.T, open func() Store[T]) {
	c := open()
	names := []string{"a", "a.b", "a-b", "B", "environment", "key"}
	for _, name := range names {
		r := must[catalog.Record[T]](t)(c.Create(t.Context(), s.Body(name, 1)))
		must[catalog.Record[T]](t)(c.Replace(t.Context(), r, s.Body(name, 2)))
	}
	slices.Sort(names)
	for _, o := range []Store[T]{c, open()} {
		var got []string
		for _, r := range must[[]catalog.Record[T]](t)(o.List(t.Context())) {
			name := r.Body.RecordName()
			got = append(got, name)
			if r.Generation != 2 || !reflect.DeepEqual(r.Body, s.Body(name, 2)) {
				t.Errorf("listed generation %d of %s: %+v", r.Generation, name, r.Body)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("listed %v", got)
		}
	}
}

func (s Suite[T]) testExists(t *testing.T, open func() Store[T]) {
	early, c := open(), open()
	must[[]catalog.Record[T]](t)(early.List(t.Context())) // its memory is from before
	want := s.Body("k", 1)
	r := must[catalog.Record[T]](t)(c.Create(t.Context(), want))
	// What was made after its last scan a catalog may take for a rival's.
	_, err := early.Create(t.Context(), s.Body("k", 7))
	wantKind(t, err, fault.Exists, fault.Conflict)
	for _, o := range []Store[T]{c, early, open()} {
		_, err := o.Create(t.Context(), s.Body("k", 7))
		wantKind(t, err, fault.Exists)
	}
	wantRecord(t, open(), want, 1, r.ID)
}

func (s Suite[T]) testStale(t *testing.T, open func() Store[T]) {
	c, other := open(), open()
	first := must[catalog.Record[T]](t)(c.Create(t.Context(), s.Body("k", 1)))
	old := wantRecord(t, other, first.Body, 1, first.ID)
	want := s.Body("k", 2)
	second := must[catalog.Record[T]](t)(c.Replace(t.Context(), first, want))
	for _, o := range []Store[T]{c, other, open()} {
		_, err := o.Replace(t.Context(), old, s.Body("k", 9))
		wantKind(t, err, fault.Conflict)
		// Reading again and retrying is right.
		wantRecord(t, o, want, 2, first.ID)
	}
	foreign := second
	foreign.ID = "another"
	_, err := c.Replace(t.Context(), foreign, s.Body("k", 9))
	wantKind(t, err, fault.Conflict)
	ahead := second
	ahead.Generation = 3
	_, err = c.Replace(t.Context(), ahead, s.Body("k", 9))
	wantKind(t, err, fault.Conflict)
	wantRecord(t, open(), want, 2, first.ID)
}

func (s Suite[T]) testCopies(t *testing.T, open func() Store[T]) {
	c := open()
	given := s.Body("k", 1)
	r := must[catalog.Record[T]](t)(c.Create(t.Context(), given))
	want := s.Body("k", 1)
	s.Spoil(given)
	s.Spoil(r.Body)
	if reflect.DeepEqual(given, want) {
		t.Fatal("the suite's Spoil changes nothing")
	}
	loaded := wantRecord(t, c, want, 1, r.ID)
	s.Spoil(loaded.Body)
	wantRecord(t, c, want, 1, r.ID)
	next := s.Body("k", 2)
	must[catalog.Record[T]](t)(c.Replace(t.Context(), loaded, next)) // whatever its body has become
	s.Spoil(next)
	wantRecord(t, c, s.Body("k", 2), 2, r.ID)
}

// outcome is what one of several rivals got.
type outcome[T any] struct {
	record catalog.Record[T]
	err    error
}

// race has several stores do something at once.
func race[T catalog.Body[T]](stores []Store[T], do func(n int, c Store[T]) (catalog.Record[T], error)) []outcome[T] {
	done := make([]chan outcome[T], len(stores))
	start := make(chan struct{})
	for n, c := range stores {
		done[n] = make(chan outcome[T], 1)
		go func() {
			<-start
			r, err := do(n, c)
			done[n] <- outcome[T]{r, err}
		}()
	}
	close(start)
	results := make([]outcome[T], len(stores))
	for n := range results {
		results[n] = <-done[n]
	}
	return results
}

// judge checks that at most one rival won, and that the winner's is what is stored;
// it returns what is stored.
func judge[T catalog.Body[T]](t *testing.T, open func() Store[T], name string, results []outcome[T], losing ...fault.Kind) catalog.Record[T] {
	t.Helper()
	winners := 0
	var won catalog.Record[T]
	for _, r := range results {
		if r.err == nil {
			winners++
			won = r.record
			continue
		}
		wantKind(t, r.err, losing...)
	}
	if winners > 1 {
		t.Errorf("%d rivals won", winners)
	}
	stored := must[catalog.Record[T]](t)(open().Load(t.Context(), name))
	if winners == 1 && (stored.ID != won.ID || stored.Generation != won.Generation || !reflect.DeepEqual(stored.Body, won.Body)) {
		t.Errorf("stored is generation %d of %s, %+v; the winner wrote generation %d of %s, %+v",
			stored.Generation, stored.ID, stored.Body, won.Generation, won.ID, won.Body)
	}
	return stored
}

func (s Suite[T]) testRivalsCreating(t *testing.T, open func() Store[T]) {
	stores := []Store[T]{open(), open(), open()}
	if err := stores[0].Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		name := fmt.Sprintf("k%d", round)
		results := race(stores, func(n int, c Store[T]) (catalog.Record[T], error) {
			return c.Create(t.Context(), s.Body(name, n+1))
		})
		if !slices.ContainsFunc(results, func(o outcome[T]) bool { return o.err == nil }) {
			t.Errorf("nobody won: %v", results)
		}
		judge(t, open, name, results, fault.Conflict, fault.Exists)
	}
}

func (s Suite[T]) testRivalsReplacing(t *testing.T, open func() Store[T]) {
	stores := []Store[T]{open(), open(), open()}
	if err := stores[0].Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	stored := must[catalog.Record[T]](t)(stores[0].Create(t.Context(), s.Body("k", 1)))
	for round := range 5 {
		before := stored
		results := race(stores, func(n int, c Store[T]) (catalog.Record[T], error) {
			return c.Replace(t.Context(), before, s.Body("k", 10*round+n+1))
		})
		stored = judge(t, open, "k", results, fault.Conflict)
		if stored.ID != before.ID || stored.Generation > before.Generation+1 {
			t.Errorf("generation %d became %d", before.Generation, stored.Generation)
		}
	}
	if stored.Generation < 2 {
		t.Error("nobody ever won")
	}
}

func (s Suite[T]) testRivalsStamping(t *testing.T, open func() Store[T]) {
	stores := []Store[T]{open(), open(), open()}
	results := race(stores, func(n int, c Store[T]) (catalog.Record[T], error) {
		return catalog.Record[T]{}, c.Stamp(t.Context(), []string{"test", "prod", "test"}[n], "somebody")
	})
	stamped := must[string](t)(open().Environment(t.Context()))
	for n, r := range results {
		if mine := []string{"test", "prod", "test"}[n]; mine == stamped {
			if r.err != nil {
				t.Errorf("stamped %q, and was told: %v", mine, r.err)
			}
		} else {
			wantKind(t, r.err, fault.Environment)
		}
	}
}

// testAnotherRun: what another process does shows at the latest when it matters.
func (s Suite[T]) testAnotherRun(t *testing.T, open func() Store[T]) {
	early := open()
	if err := early.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	must[[]catalog.Record[T]](t)(early.List(t.Context()))
	c := open()
	want := s.Body("k", 1)
	r := must[catalog.Record[T]](t)(c.Create(t.Context(), want))
	wantRecord(t, early, want, 1, r.ID) // it was not in the scan, and must not be reported missing
	next := s.Body("k", 2)
	r2 := must[catalog.Record[T]](t)(c.Replace(t.Context(), r, next))
	_, err := early.Replace(t.Context(), r, s.Body("k", 3))
	wantKind(t, err, fault.Conflict)
	last := s.Body("k", 4)
	must[catalog.Record[T]](t)(early.Replace(t.Context(), wantRecord(t, early, next, 2, r2.ID), last))
	wantRecord(t, open(), last, 3, r.ID)
}
