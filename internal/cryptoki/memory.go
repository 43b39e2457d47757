package cryptoki

import (
	"slices"
	"sync"
	"sync/atomic"
)

// memory is what is known of the objects on the token: handles, and the objects
// themselves. It is a mirror, not evidence: see Token.ConfirmAbsent.
type memory struct {
	lastID *atomic.Uint64

	mu      sync.Mutex
	ours    map[uint]Handle // by CK_OBJECT_HANDLE
	theirs  map[Handle]uint
	objects map[Handle]Object // token objects only
	index   map[entry][]Handle
	scanned bool // objects holds everything, as of the last scan
}

// entry is what objects are looked up by: one attribute's value.
type entry struct {
	typ   uint
	value string
}

// indexed are the attributes that are looked up for every key and record; without
// an index a thousand look-ups among a thousand objects would be a million steps.
var indexed = []uint{CKA_ID, CKA_LABEL}

func newMemory(lastID *atomic.Uint64) *memory {
	return &memory{lastID: lastID, ours: map[uint]Handle{}, theirs: map[Handle]uint{}, objects: map[Handle]Object{}, index: map[entry][]Handle{}}
}

// handle returns our handle for one of the module's.
func (m *memory) handle(object uint) Handle {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.ours[object]
	if !ok {
		h = Handle(m.lastID.Add(1))
		m.ours[object], m.theirs[h] = h, object
	}
	return h
}

// object is the inverse of handle. A handle that is void fails like an object
// that is gone.
func (m *memory) object(h Handle) (uint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	object, ok := m.theirs[h]
	if !ok {
		return 0, &callError{"handle", CKR_OBJECT_HANDLE_INVALID}
	}
	return object, nil
}

// fold takes in an object as just read. Session objects are not remembered.
func (m *memory) fold(o Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(o)
}

// put and drop keep objects and index in step. The caller holds the lock.
func (m *memory) put(o Object) {
	m.drop(o.Handle)
	if !o.Bool(CKA_TOKEN) {
		return
	}
	m.objects[o.Handle] = o
	for _, typ := range indexed {
		if value, ok := o.Attrs[typ]; ok {
			e := entry{typ, string(value)}
			m.index[e] = append(m.index[e], o.Handle)
		}
	}
}

func (m *memory) drop(h Handle) {
	o, ok := m.objects[h]
	if !ok {
		return
	}
	delete(m.objects, h)
	for _, typ := range indexed {
		e := entry{typ, string(o.Attrs[typ])}
		if m.index[e] = slices.DeleteFunc(m.index[e], func(other Handle) bool { return other == h }); len(m.index[e]) == 0 {
			delete(m.index, e)
		}
	}
}

// lookup returns the remembered objects with an indexed attribute's value, in the
// order of handles, and whether there was a scan.
func (m *memory) lookup(typ uint, value []byte) ([]Object, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Object
	for _, h := range m.index[entry{typ, string(value)}] {
		list = append(list, m.objects[h])
	}
	slices.SortFunc(list, func(x, y Object) int { return int(x.Handle) - int(y.Handle) })
	return list, m.scanned
}

// forget makes a handle void: its object was destroyed.
func (m *memory) forget(h Handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ours, m.theirs[h])
	delete(m.theirs, h)
	m.drop(h)
}

// release makes the handle void that one of the module's belongs to, and reports
// whether there was one.
func (m *memory) release(object uint) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, ok := m.ours[object]
	if ok {
		delete(m.ours, object)
		delete(m.theirs, h)
		m.drop(h)
	}
	return ok
}

// hide takes an object out of the memory and leaves its handle alone: it may be
// hidden for a moment while another process changes it.
func (m *memory) hide(h Handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(h)
}

// remembers reports whether all handles are of objects that are remembered, which those of
// a session are not.
func (m *memory) remembers(handles []Handle) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !slices.ContainsFunc(handles, func(h Handle) bool { _, ok := m.objects[h]; return !ok })
}

// recall returns those of the module's objects that are remembered, and the others.
func (m *memory) recall(objects []uint) (known []Object, unread []uint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, object := range objects {
		if o, ok := m.objects[m.ours[object]]; ok {
			known = append(known, o)
		} else {
			unread = append(unread, object)
		}
	}
	return known, unread
}

// all returns every object in the order of handles, and whether there was a scan.
func (m *memory) all() ([]Object, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.scanned {
		return nil, false
	}
	list := make([]Object, 0, len(m.objects))
	for _, o := range m.objects {
		list = append(list, o)
	}
	slices.SortFunc(list, func(x, y Object) int { return int(x.Handle) - int(y.Handle) })
	return list, true
}

// replace takes in a whole scan.
func (m *memory) replace(list []Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.objects)
	clear(m.index)
	for _, o := range list {
		m.put(o)
	}
	m.scanned = true
}

// doubt makes whoever asks next read the token: it may hold something else than what is
// remembered. Handles stay what they are.
func (m *memory) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scanned = false
}

// matching returns the remembered objects that match a template.
func (m *memory) matching(template []Attribute) []Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Object
	for _, o := range m.objects {
		if o.matches(template) {
			list = append(list, o)
		}
	}
	return list
}
