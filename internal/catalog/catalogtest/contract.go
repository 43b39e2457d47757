package catalogtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Open opens a store that already exists once more, as another process would: the
// catalogs share what is stored and nothing else.
type Open func() lifecycle.Catalog

// Run holds an implementation to the contract. fresh makes a new, empty store for
// one test.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Open){
		"empty":              testEmpty,
		"stamp":              testStamp,
		"unstamped":          testUnstamped,
		"round trip":         testRoundTrip,
		"list":               testList,
		"exists":             testExists,
		"stale":              testStale,
		"callers' copies":    testCopies,
		"rivals creating":    testRivalsCreating,
		"rivals replacing":   testRivalsReplacing,
		"rivals stamping":    testRivalsStamping,
		"another run's work": testAnotherRun,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// key is a record's content with something in every field.
func key(name string, counter int) *keyring.Key {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	v := &keyring.Version{
		Number: counter, Algorithm: keyring.ECP256, Ref: keyring.NewRef(name, counter, keyring.ECP256), PublicKey: keyring.PublicKey{1, 2, 3},
		Fingerprint: "<&>", Birth: keyring.Birth{Local: true, Attested: true}, CreatedAt: at, ActivatedAt: at,
	}
	v.Record(at, "generated", "somebody", "because \u2028 of <this>")
	return &keyring.Key{
		Spec: keyring.Spec{
			Name: name, Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Tags: map[string]string{"k": "v"}, Enabled: true,
			AllowedMechanisms: []keyring.Mechanism{"CKM_ECDSA"}, OnDestroy: keyring.DestroyDisables,
		},
		CreatedAt: at, Counter: counter, Versions: map[int]*keyring.Version{counter: v},
		Work: &keyring.Work{What: "create", Versions: []int{counter}, Run: "r", Host: "h", PID: 7, Since: at},
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

func wantEnvironment(t *testing.T, c lifecycle.Catalog, want string) {
	t.Helper()
	if got := must[string](t)(c.Environment(t.Context())); got != want {
		t.Errorf("environment %q, expected %q", got, want)
	}
}

func wantRecord(t *testing.T, c lifecycle.Catalog, want *keyring.Key, generation int, id string) lifecycle.Record {
	t.Helper()
	r := must[lifecycle.Record](t)(c.Load(t.Context(), want.Spec.Name))
	if !reflect.DeepEqual(r.Key, want) || r.Generation != generation || id != "" && r.ID != id {
		t.Errorf("loaded generation %d (expected %d) of %q (expected %q), %+v (expected %+v)", r.Generation, generation, r.ID, id, r.Key, want)
	}
	return r
}

func testEmpty(t *testing.T, open Open) {
	c := open()
	wantEnvironment(t, c, "")
	_, err := c.Load(t.Context(), "k")
	// Without a stamp there may be no positive evidence that a record is missing.
	wantKind(t, err, fault.NotFound, fault.Unavailable)
	if list := must[[]lifecycle.Record](t)(c.List(t.Context())); len(list) != 0 {
		t.Errorf("listed %v", list)
	}
	if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Load(t.Context(), "k")
	wantKind(t, err, fault.NotFound)
}

func testStamp(t *testing.T, open Open) {
	c := open()
	for range 2 {
		if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
			t.Fatal(err)
		}
		wantEnvironment(t, c, "test")
	}
	other := open()
	wantEnvironment(t, other, "test")
	for _, o := range []lifecycle.Catalog{c, other} {
		wantKind(t, o.Stamp(t.Context(), "prod", "somebody else"), fault.Environment)
		wantKind(t, o.Stamp(t.Context(), "", "nobody"), fault.Invalid)
		wantEnvironment(t, o, "test")
	}
}

func testUnstamped(t *testing.T, open Open) {
	must[lifecycle.Record](t)(open().Create(t.Context(), key("k", 1)))
	c := open()
	_, err := c.Environment(t.Context())
	wantKind(t, err, fault.Inconsistent)
	wantKind(t, c.Stamp(t.Context(), "test", "somebody"), fault.Inconsistent)
}

func testRoundTrip(t *testing.T, open Open) {
	c := open()
	if err := c.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	want := key("k", 1)
	r := must[lifecycle.Record](t)(c.Create(t.Context(), want))
	id := r.ID
	if r.Generation != 1 || id == "" || !reflect.DeepEqual(r.Key, want) {
		t.Errorf("created %+v", r)
	}
	wantRecord(t, c, want, 1, id)
	wantRecord(t, open(), want, 1, id)
	for generation := 2; generation < 6; generation++ {
		want = key("k", generation)
		r = must[lifecycle.Record](t)(c.Replace(t.Context(), r, want))
		if r.Generation != generation || r.ID != id || !reflect.DeepEqual(r.Key, want) {
			t.Errorf("replaced by %+v", r)
		}
		r = wantRecord(t, c, want, generation, id)
		wantRecord(t, open(), want, generation, id)
	}
}

func testList(t *testing.T, open Open) {
	c := open()
	names := []string{"a", "a.b", "a-b", "B", "environment", "key"}
	for _, name := range names {
		r := must[lifecycle.Record](t)(c.Create(t.Context(), key(name, 1)))
		must[lifecycle.Record](t)(c.Replace(t.Context(), r, key(name, 2)))
	}
	slices.Sort(names)
	for _, o := range []lifecycle.Catalog{c, open()} {
		var got []string
		for _, r := range must[[]lifecycle.Record](t)(o.List(t.Context())) {
			got = append(got, r.Key.Spec.Name)
			if r.Generation != 2 || r.Key.Counter != 2 {
				t.Errorf("listed generation %d of %s", r.Generation, r.Key.Spec.Name)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("listed %v", got)
		}
	}
}

func testExists(t *testing.T, open Open) {
	early, c := open(), open()
	must[[]lifecycle.Record](t)(early.List(t.Context())) // its memory is from before
	want := key("k", 1)
	r := must[lifecycle.Record](t)(c.Create(t.Context(), want))
	// What was made after its last scan a catalog may take for a rival's.
	_, err := early.Create(t.Context(), key("k", 7))
	wantKind(t, err, fault.Exists, fault.Conflict)
	for _, o := range []lifecycle.Catalog{c, early, open()} {
		_, err := o.Create(t.Context(), key("k", 7))
		wantKind(t, err, fault.Exists)
	}
	wantRecord(t, open(), want, 1, r.ID)
}

func testStale(t *testing.T, open Open) {
	c, other := open(), open()
	first := must[lifecycle.Record](t)(c.Create(t.Context(), key("k", 1)))
	old := wantRecord(t, other, first.Key, 1, first.ID)
	want := key("k", 2)
	second := must[lifecycle.Record](t)(c.Replace(t.Context(), first, want))
	for _, o := range []lifecycle.Catalog{c, other, open()} {
		_, err := o.Replace(t.Context(), old, key("k", 9))
		wantKind(t, err, fault.Conflict)
		// Reading again and retrying is right.
		wantRecord(t, o, want, 2, first.ID)
	}
	foreign := second
	foreign.ID = "another"
	_, err := c.Replace(t.Context(), foreign, key("k", 9))
	wantKind(t, err, fault.Conflict)
	ahead := second
	ahead.Generation = 3
	_, err = c.Replace(t.Context(), ahead, key("k", 9))
	wantKind(t, err, fault.Conflict)
	wantRecord(t, open(), want, 2, first.ID)
}

func testCopies(t *testing.T, open Open) {
	c := open()
	k := key("k", 1)
	r := must[lifecycle.Record](t)(c.Create(t.Context(), k))
	want := k.Clone()
	k.Spec.Tags["k"], k.Versions[1].Fingerprint = "spoilt", "spoilt"
	r.Key.Spec.Tags["k"], r.Key.Versions[1].Number = "spoilt", 99
	loaded := wantRecord(t, c, want, 1, r.ID)
	loaded.Key.Versions[1].History[0].Reason = "spoilt"
	wantRecord(t, c, want, 1, r.ID)
	next := key("k", 2)
	must[lifecycle.Record](t)(c.Replace(t.Context(), loaded, next)) // whatever its Key has become
	next.Spec.Name = "spoilt"
	if r = must[lifecycle.Record](t)(c.Load(t.Context(), "k")); r.Key.Spec.Name != "k" || r.Key.Counter != 2 {
		t.Errorf("loaded %+v", r.Key)
	}
}

// outcome is what one of several rivals got.
type outcome struct {
	record lifecycle.Record
	err    error
}

// race has several catalogs do something at once.
func race(catalogs []lifecycle.Catalog, do func(n int, c lifecycle.Catalog) (lifecycle.Record, error)) []outcome {
	done := make([]chan outcome, len(catalogs))
	start := make(chan struct{})
	for n, c := range catalogs {
		done[n] = make(chan outcome, 1)
		go func() {
			<-start
			r, err := do(n, c)
			done[n] <- outcome{r, err}
		}()
	}
	close(start)
	results := make([]outcome, len(catalogs))
	for n := range results {
		results[n] = <-done[n]
	}
	return results
}

// judge checks that at most one rival won, and that the winner's is what is stored;
// it returns what is stored.
func judge(t *testing.T, open Open, name string, results []outcome, losing ...fault.Kind) lifecycle.Record {
	t.Helper()
	winners := 0
	var won lifecycle.Record
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
	stored := must[lifecycle.Record](t)(open().Load(t.Context(), name))
	if winners == 1 && (stored.ID != won.ID || stored.Generation != won.Generation || stored.Key.Counter != won.Key.Counter) {
		t.Errorf("stored is generation %d of %s with counter %d; the winner wrote generation %d of %s with counter %d",
			stored.Generation, stored.ID, stored.Key.Counter, won.Generation, won.ID, won.Key.Counter)
	}
	return stored
}

func testRivalsCreating(t *testing.T, open Open) {
	catalogs := []lifecycle.Catalog{open(), open(), open()}
	if err := catalogs[0].Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		name := fmt.Sprintf("k%d", round)
		results := race(catalogs, func(n int, c lifecycle.Catalog) (lifecycle.Record, error) {
			return c.Create(t.Context(), key(name, n+1))
		})
		if !slices.ContainsFunc(results, func(o outcome) bool { return o.err == nil }) {
			t.Errorf("nobody won: %v", results)
		}
		judge(t, open, name, results, fault.Conflict, fault.Exists)
	}
}

func testRivalsReplacing(t *testing.T, open Open) {
	catalogs := []lifecycle.Catalog{open(), open(), open()}
	if err := catalogs[0].Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	stored := must[lifecycle.Record](t)(catalogs[0].Create(t.Context(), key("k", 1)))
	for round := range 5 {
		before := stored
		results := race(catalogs, func(n int, c lifecycle.Catalog) (lifecycle.Record, error) {
			return c.Replace(t.Context(), before, key("k", 10*round+n))
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

func testRivalsStamping(t *testing.T, open Open) {
	catalogs := []lifecycle.Catalog{open(), open(), open()}
	results := race(catalogs, func(n int, c lifecycle.Catalog) (lifecycle.Record, error) {
		return lifecycle.Record{}, c.Stamp(t.Context(), []string{"test", "prod", "test"}[n], "somebody")
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
func testAnotherRun(t *testing.T, open Open) {
	early := open()
	if err := early.Stamp(t.Context(), "test", "somebody"); err != nil {
		t.Fatal(err)
	}
	must[[]lifecycle.Record](t)(early.List(t.Context()))
	c := open()
	want := key("k", 1)
	r := must[lifecycle.Record](t)(c.Create(t.Context(), want))
	wantRecord(t, early, want, 1, r.ID) // it was not in the scan, and must not be reported missing
	next := key("k", 2)
	r2 := must[lifecycle.Record](t)(c.Replace(t.Context(), r, next))
	_, err := early.Replace(t.Context(), r, key("k", 3))
	wantKind(t, err, fault.Conflict)
	last := key("k", 4)
	must[lifecycle.Record](t)(early.Replace(t.Context(), wantRecord(t, early, next, 2, r2.ID), last))
	wantRecord(t, open(), last, 3, r.ID)
}
