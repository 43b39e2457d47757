package torture_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/inventory"
	"github.com/keystead/terraform-provider-hsm/internal/provider"
)

// TestDelays has the module take its time with every call, and the user lose patience at
// one of them. What has begun in the HSM then comes to an end, the error says that it was
// the user, and the same verb again ends well. Without anybody who is impatient a slow
// module changes nothing.
func TestDelays(t *testing.T) {
	random := seeded(t)
	total, cancelled := 0, 0
	for _, name := range shard(slices.Sorted(maps.Keys(verbs()))) {
		v := verbs()[name]
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			began := b.prepare(v)
			before := b.inventory()
			calls := b.calls(v, time.Millisecond)
			clean := b.inventory()
			if bad := append(clean.Violations(), clean.Lost(before)...); len(bad) > 0 {
				t.Errorf("nothing but slow: %q", bad)
			}
			points := random.Perm(calls)
			if !long() {
				points = points[:min(len(points), 1)]
			}
			for _, n := range points {
				began.restore(t)
				total++
				if b.losesPatience(v, n+1, before, clean) {
					cancelled++
				}
			}
		})
	}
	summarise(t, "delays of the module", total, "with a cancellation during a slow call, which ended %d of the runs", cancelled)
}

// losesPatience cancels a verb while its n-th call lasts, and reports whether that ended it.
func (b *bench) losesPatience(v verb, n int, before, clean *inventory.Inventory) (ended bool) {
	b.t.Helper()
	say := func(format string, args ...any) {
		b.t.Errorf("cancelled at call %d: %s", n, fmt.Sprintf(format, args...))
	}
	services, end := b.run()
	b.begin(v, services)
	b.module.Delay(2 * time.Millisecond)
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- v.do(ctx, services) }()
	err := b.cancelAt(n, cancel, done)
	cancel()
	b.module.Behave()
	end()
	if err != nil && !fault.Is(err, fault.Unavailable) {
		say("this says %q: %v", fault.KindOf(err), err)
	}
	if err == nil {
		if got, want := b.inventory().Shape(), clean.Shape(); got != want {
			say("no error, and there is\n%s\nwhere there should be\n%s", got, want)
		}
		return false
	}
	b.do(func(ctx context.Context, services *provider.Services) error {
		if err := v.do(ctx, services); err != nil {
			say("then again: %v", err)
		}
		return nil
	})
	after := b.inventory()
	if bad := slices.Concat(after.Violations(), after.Lost(before), after.Astray(before, clean)); len(bad) > 0 {
		say("then again: %q", bad)
	}
	return true
}

// cancelAt waits for the n-th call to begin, cancels, and returns what came of it.
func (b *bench) cancelAt(n int, cancel func(), done <-chan error) error {
	for {
		select {
		case err := <-done:
			return err
		default:
		}
		if b.module.Counted() >= n {
			cancel()
			return <-done
		}
		time.Sleep(100 * time.Microsecond)
	}
}
