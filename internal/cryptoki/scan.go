package cryptoki

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// readsPerTurn is how many objects are read before others get a turn at the module.
	readsPerTurn = 64
	// pause is how long an object may be hidden while another process changes it
	// (up to 5.5 ms were measured on SoftHSM), and then some.
	pause = 60 * time.Millisecond
)

// Objects returns every token object that the login can see, of all classes, in
// the order of handles. The first call reads the token, later ones answer from
// memory, which the writes of this Token and Search keep up to date; what other
// processes do shows only through Search. Objects without a class, which a killed
// process may leave, are left out.
func (t *Token) Objects(ctx context.Context) ([]Object, error) {
	return t.remembered(ctx, (*memory).all)
}

// Lookup is Objects, but only those whose CKA_ID or CKA_LABEL has a value: no other
// attribute can be looked up by (none is found then).
func (t *Token) Lookup(ctx context.Context, typ uint, value []byte) ([]Object, error) {
	return t.remembered(ctx, func(m *memory) ([]Object, bool) { return m.lookup(typ, value) })
}

// remembered answers from memory, after filling it if that was not done yet.
func (t *Token) remembered(ctx context.Context, answer func(*memory) ([]Object, bool)) (list []Object, err error) {
	var ok bool
	if a, _ := t.attached(true); a != nil && a.concurrent {
		if list, ok = answer(a.objects); ok { // without waiting for the writes of others
			return list, nil
		}
	}
	err = t.look(ctx, "list objects", func(a *attachment) error {
		if list, ok = answer(a.objects); ok {
			return nil
		}
		all, err := t.read(ctx, a, nil, false)
		if err != nil {
			return err
		}
		a.objects.replace(all)
		list, _ = answer(a.objects)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// look runs something that changes nothing on the token, alone. If the sessions are lost
// meanwhile, it is done once more, on new ones.
func (t *Token) look(ctx context.Context, op string, f func(a *attachment) error) error {
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.leave()
	for attempt := 1; ; attempt++ {
		a, done, err := t.manage(ctx, false)
		if err != nil {
			return err
		}
		err = t.fail(ctx, op, a, f(a))
		done()
		if attempt == 2 || !IsSessionLoss(err) {
			return err
		}
	}
}

// Search looks for objects on the token, whatever is in memory, and updates the
// memory. Session objects are found too. An empty answer is no proof of absence,
// see ConfirmAbsent. Two handles for one object count once.
func (t *Token) Search(ctx context.Context, template []Attribute) (list []Object, err error) {
	err = t.look(ctx, "search objects", func(a *attachment) (err error) {
		list, err = t.update(ctx, a, template, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// update brings the memory up to date with all that matches a template.
func (t *Token) update(ctx context.Context, a *attachment, template []Attribute, constant bool) ([]Object, error) {
	list, err := t.read(ctx, a, template, constant)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		a.objects.fold(o)
	}
	return list, t.refresh(ctx, a, template, list)
}

// refresh reads again what the memory holds for a template and a search did not
// find: it was changed, or is gone.
func (t *Token) refresh(ctx context.Context, a *attachment, template []Attribute, found []Object) error {
	seen := handles(found)
	stale := slices.DeleteFunc(a.objects.matching(template), func(o Object) bool { return seen[o.Handle] })
	if len(stale) == 0 {
		return nil
	}
	return a.run(ctx, func(d driver) error {
		for _, o := range stale {
			object, err := a.objects.object(o.Handle)
			if err != nil {
				continue
			}
			fresh, err := a.reader.read(d, a.held, object)
			switch {
			case err == nil:
				fresh.Handle = o.Handle
				a.objects.fold(fresh)
			case isGone(err):
				a.objects.hide(o.Handle)
			default:
				return err
			}
		}
		return nil
	})
}

// handles is the set of handles of some objects.
func handles(list []Object) map[Handle]bool {
	set := make(map[Handle]bool, len(list))
	for _, o := range list {
		set[o.Handle] = true
	}
	return set
}

// read searches and reads, a turn at a time; of objects that are constant only those that
// are not remembered. If objects vanished in between, or several look like one, it looks
// once more, alone and after a pause: another process was at work.
func (t *Token) read(ctx context.Context, a *attachment, template []Attribute, constant bool) ([]Object, error) {
	var found []uint
	err := a.runAnywhere(ctx, func(d driver, session uint) (err error) {
		defer t.waiting(ctx, a, "search objects", 1)()
		found, err = d.FindObjects(session, template)
		return err
	})
	if err != nil {
		return nil, err
	}
	var known []Object
	unread := found
	if constant {
		known, unread = a.objects.recall(found)
	}
	seen, err := t.sight(ctx, a, unread)
	if err != nil {
		return nil, err
	}
	if seen.remnants > 0 && len(seen.list) == 0 {
		return nil, seen.remnant // a token on which nothing can be read is in trouble
	}
	if seen.remnants > 0 {
		t.log(ctx, "Some objects on the token have no attributes; a process was killed while it made them", map[string]any{
			"token": a.info.Label, "objects": seen.remnants,
		})
	}
	if doubles := lookAlike(seen.list); seen.gone || len(doubles) > 0 {
		return t.readAgain(ctx, a, template, append(known, seen.list...), doubles)
	}
	return append(known, seen.list...), nil
}

// sight reads objects, a turn at a time; in every session of the pool at once where the
// token bears that.
func (t *Token) sight(ctx context.Context, a *attachment, objects []uint) (sighting, error) {
	p := progress{token: t, start: time.Now(), total: len(objects)}
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(1)
	perTurn := readsPerTurn
	if a.concurrent {
		reading.SetLimit(a.pool.size)
		perTurn = max(readsPerTurn/a.pool.size, 1) // nobody waits for a turn, but all for the last one
	}
	turns := slices.Collect(slices.Chunk(objects, perTurn))
	seen := make([]sighting, len(turns))
	for i, turn := range turns {
		reading.Go(func() error {
			err := a.runAnywhere(ctx, func(d driver, session uint) error {
				defer t.waiting(ctx, a, "read object", len(turn))()
				return seen[i].read(d, a, session, turn)
			})
			p.report(ctx, a, len(turn))
			return err
		})
	}
	err := reading.Wait()
	all := sighting{list: make([]Object, 0, len(objects))}
	for _, s := range seen {
		all.list = append(all.list, s.list...)
		all.gone, all.remnants = all.gone || s.gone, all.remnants+s.remnants
		all.remnant = cmp.Or(all.remnant, s.remnant)
	}
	return all, err
}

// sighting is what came of reading the objects that a search found.
type sighting struct {
	list     []Object
	gone     bool  // some were destroyed, or hidden, meanwhile
	remnants int   // some have no attributes, not even a class …
	remnant  error // … which the token says like this
}

func (s *sighting) read(d driver, a *attachment, session uint, objects []uint) error {
	for _, object := range objects {
		o, err := a.reader.read(d, session, object)
		if mayBeRemnant(o, err) {
			o, err = a.reader.read(d, session, object) // a failure that passes is none
		}
		switch {
		case err == nil:
			o.Handle = a.objects.handle(object)
			s.list = append(s.list, o)
		case isGone(err):
			s.gone = true
		case mayBeRemnant(o, err) && answers(d, a):
			s.remnants, s.remnant = s.remnants+1, err
		default:
			return err
		}
	}
	return nil
}

// isGone reports whether an object was destroyed since it was found.
func isGone(err error) bool { return hasCode(err, CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID) }

// mayBeRemnant reports whether err, from reading an object, may only mean that the object
// has no attributes. SoftHSM says CKR_ATTRIBUTE_VALUE_INVALID then, others say other
// things.
func mayBeRemnant(o Object, err error) bool {
	return err != nil && len(o.Attrs) == 0 && (saysNothing(err) || saysUnknown(err) || hasCode(err, CKR_ATTRIBUTE_VALUE_INVALID))
}

// answers reports whether token and session still do.
func answers(d driver, a *attachment) bool {
	_, gone := d.TokenInfo(a.slot)
	_, lost := d.SessionState(a.held)
	return gone == nil && lost == nil
}

// readAgain searches a second time, keeps of the look-alikes those that are found
// again, and reads what was not there the first time.
func (t *Token) readAgain(ctx context.Context, a *attachment, template []Attribute, list []Object, doubles map[Handle]bool) ([]Object, error) {
	err := a.run(ctx, func(d driver) error {
		time.Sleep(pause) // inside the gate: with nothing of ours in flight
		objects, err := d.FindObjects(a.held, template)
		if err != nil {
			return err
		}
		read, found := handles(list), map[Handle]bool{}
		var fresh []uint
		for _, object := range objects {
			h := a.objects.handle(object)
			found[h] = true
			if !read[h] {
				fresh = append(fresh, object)
			}
		}
		again := sighting{list: slices.DeleteFunc(list, func(o Object) bool { return doubles[o.Handle] && !found[o.Handle] })}
		err = again.read(d, a, a.held, fresh)
		list = again.list
		return err
	})
	return list, err
}
