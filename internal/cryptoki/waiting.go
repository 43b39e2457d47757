package cryptoki

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// slow is how much waiting for the module is worth a line in the log.
const slow = 2 * time.Second

func (c Config) patience() time.Duration { return cmp.Or(c.slow, slow) }

// waits is what a Token has waited for since it told last, by operation. A run can be
// slow by one call that takes long, and by thousands that do not.
type waits struct {
	mu    sync.Mutex
	spent map[string]spell
	total time.Duration
}

type spell struct {
	times int
	took  time.Duration
}

// waiting begins a wait for the module, for so many operations in one, and returns what
// ends it. A long one is told while it lasts, and all of them whenever they have come to
// as much.
func (t *Token) waiting(ctx context.Context, a *attachment, op string, times int) (done func()) {
	begin, label := time.Now(), cmp.Or(a.info.Label, t.cfg.Select.Label) // the former is not known yet when a token is opened
	long := time.AfterFunc(t.cfg.patience(), func() {
		t.log(ctx, "Waiting for the HSM", map[string]any{"token": label, "operation": op, "seconds": seconds(t.cfg.patience())})
	})
	return func() {
		long.Stop()
		if told, total := t.waits.add(op, spell{times, time.Since(begin)}, t.cfg.patience()); told != "" {
			t.log(ctx, "The HSM was waited for", map[string]any{"token": label, "operations": told, "seconds": seconds(total)})
		}
	}
}

// add returns what there is to tell, the longest first, or nothing yet.
func (w *waits) add(op string, s spell, enough time.Duration) (text string, total time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent == nil {
		w.spent = map[string]spell{}
	}
	w.spent[op] = spell{w.spent[op].times + s.times, w.spent[op].took + s.took}
	w.total += s.took
	if w.total < enough {
		return "", 0
	}
	ops := slices.SortedFunc(maps.Keys(w.spent), func(a, b string) int { return cmp.Compare(w.spent[b].took, w.spent[a].took) })
	for i, op := range ops {
		ops[i] = fmt.Sprintf("%d × %s: %v s", w.spent[op].times, op, seconds(w.spent[op].took))
	}
	total = w.total
	w.spent, w.total = nil, 0
	return strings.Join(ops, ", "), total
}

// seconds rounds as far as anybody cares.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*100) / 100 }

// generation names the generation of a key, by what decides on how long it takes.
func generation(what string, m Mechanism, template []Attribute) string {
	for _, a := range template {
		if a.Type == CKA_MODULUS_BITS {
			what = fmt.Sprintf("%d-bit %s", a.Ulong(), what)
		}
	}
	return "generate " + what + " by " + MechanismName(m.Code)
}

// progress reports on a scan that takes long, and on its end.
type progress struct {
	token       *Token
	start       time.Time
	mu          sync.Mutex
	read, total int
	reported    time.Duration
}

func (p *progress) report(ctx context.Context, a *attachment, read int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read += read
	elapsed, every := time.Since(p.start), p.token.cfg.patience()
	if elapsed < every || elapsed-p.reported < every && p.read < p.total {
		return
	}
	p.reported = elapsed
	p.token.log(ctx, "Reading the objects of the token takes long", map[string]any{
		"token": a.info.Label, "read": p.read, "objects": p.total, "seconds": seconds(elapsed),
	})
}
