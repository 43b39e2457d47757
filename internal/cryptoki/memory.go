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
	scanned bool              // objects holds everything, as of the last scan
}

func newMemory(lastID *atomic.Uint64) *memory {
	return &memory{lastID: lastID, ours: map[uint]Handle{}, theirs: map[Handle]uint{}, objects: map[Handle]Object{}}
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
	if o.Bool(CKA_TOKEN) {
		m.objects[o.Handle] = o
	}
}

// forget makes a handle void: its object was destroyed.
func (m *memory) forget(h Handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ours, m.theirs[h])
	delete(m.theirs, h)
	delete(m.objects, h)
}

// hide takes an object out of the memory and leaves its handle alone: it may be
// hidden for a moment while another process changes it.
func (m *memory) hide(h Handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, h)
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
	for _, o := range list {
		if o.Bool(CKA_TOKEN) {
			m.objects[o.Handle] = o
		}
	}
	m.scanned = true
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
