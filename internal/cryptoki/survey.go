package cryptoki

import (
	"context"
	"fmt"
	"sync"
)

// Survey brings what Lookup answers from up to date with all objects that match a
// template, which must be such that do not change (CKA_MODIFIABLE false): of those that
// are remembered it is only asked whether they are still there. What was on the token
// when Survey was called is known afterwards; an object that does not show is no proof of
// absence, see ConfirmAbsent.
//
// Searching is what costs: a token looks at all its objects each time. So all who wait
// for a survey with the same template while the token is busy share the next one, as
// writers share a flush to disk.
//
// It takes a module not to give the handle of an object that another process destroyed to
// one that another process made, within one survey and the next. One that did would be
// found out by the next scan.
func (t *Token) Survey(ctx context.Context, template []Attribute) error {
	const op = "search objects"
	if ctx.Value(alone{t}) != nil { // nobody else can have a turn before
		return t.look(ctx, op, func(a *attachment) error {
			_, err := t.update(ctx, a, template, true)
			return err
		})
	}
	s, isFirst := t.surveys.join(template)
	if isFirst {
		go func() { // for all who join, so that it does not end with one of them
			ctx := context.WithoutCancel(ctx)
			defer close(s.done)
			t.yield(ctx)
			s.err = t.look(ctx, op, func(a *attachment) error {
				t.surveys.begin(s)
				_, err := t.update(ctx, a, template, true)
				return err
			})
			t.surveys.begin(s) // if it did not come to that
		}()
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}

// yield lets those go first who wait for the token: the more have written before a survey
// begins, the more share it. A few times only, since others may come for ever.
func (t *Token) yield(ctx context.Context) {
	const turns = 8
	for range turns {
		if t.queue.Load() == 0 || t.queueUp(ctx, t.objects.enter) != nil {
			return
		}
		t.objects.leave()
	}
}

// surveys are those that have not begun yet, by their templates.
type surveys struct {
	mu   sync.Mutex
	next map[string]*survey
}

type survey struct {
	template string
	done     chan struct{}
	err      error // when done
}

// join returns a survey that has not begun, and whether it is a new one.
func (s *surveys) join(template []Attribute) (next *survey, isNew bool) {
	key := fmt.Sprintf("%x", template)
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, ok := s.next[key]; ok {
		return next, false
	}
	if s.next == nil {
		s.next = map[string]*survey{}
	}
	next = &survey{template: key, done: make(chan struct{})}
	s.next[key] = next
	return next, true
}

// begin lets nobody join any more.
func (s *surveys) begin(it *survey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next[it.template] == it {
		delete(s.next, it.template)
	}
}
