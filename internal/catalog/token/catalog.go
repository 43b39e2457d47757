package token

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// Store is where the objects are; *cryptoki.Token is one. All methods are as
// documented there.
type Store interface {
	Objects(ctx context.Context) ([]cryptoki.Object, error)
	Lookup(ctx context.Context, typ uint, value []byte) ([]cryptoki.Object, error)
	Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error)
	ConfirmAbsent(ctx context.Context, template []cryptoki.Attribute) error
	CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	DestroyObject(ctx context.Context, h cryptoki.Handle) error
}

var _ Store = (*cryptoki.Token)(nil)

// Catalog keeps records on one token. Reading answers from the Store's memory of
// its last scan, so that a refresh of a thousand keys costs one scan; writing
// looks at the token afterwards.
type Catalog struct {
	store Store

	mu sync.Mutex
	// handedOut remembers, by label, the writes of the newest generation that
	// callers were given. A record that was withdrawn after it was read is known by
	// that, although generation and id are those of the record that won.
	handedOut map[string]issue
}

type issue struct {
	generation int
	writes     map[string]bool
}

var _ lifecycle.Catalog = (*Catalog)(nil)

// New returns the catalog on a token. It does no I/O.
func New(s Store) *Catalog { return &Catalog{store: s, handedOut: map[string]issue{}} }

const (
	application      = "terraform-provider-hsm"
	environmentLabel = "environment"
	keyPrefix        = "key/"
)

// Witness matches the object that is on a token as long as the token is the
// environment's: its stamp. It is meant for cryptoki.Config.
func Witness() []cryptoki.Attribute { return labelled(environmentLabel) }

// labelled matches the objects of one record.
func labelled(label string) []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA),
		cryptoki.Bytes(cryptoki.CKA_APPLICATION, []byte(application)),
		cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)),
	}
}

// ours reports whether an object is a record of this package.
func ours(o cryptoki.Object) bool {
	return o.Class == cryptoki.CKO_DATA && string(o.Bytes(cryptoki.CKA_APPLICATION)) == application
}

// Load returns one record, see lifecycle.Catalog. It answers from memory, and
// Replace makes sure that it was still the newest; that a record is missing is
// never answered from memory.
func (c *Catalog) Load(ctx context.Context, name string) (lifecycle.Record, error) {
	label := keyPrefix + name
	objects, err := c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(label))
	if err != nil {
		return lifecycle.Record{}, err
	}
	e, err := newest(label, objects)
	if err == nil && e == nil {
		err = c.store.ConfirmAbsent(ctx, labelled(label))
		if err == nil {
			return lifecycle.Record{}, notFound(label)
		}
	}
	if err != nil {
		// In dispute or damaged, as of some time ago, or just made: look at the token.
		if e, err = c.settled(ctx, label); err != nil {
			return lifecycle.Record{}, err
		}
	}
	if e == nil {
		return lifecycle.Record{}, notFound(label)
	}
	return c.handOut(e)
}

func notFound(label string) error {
	return &fault.Error{
		Kind: fault.NotFound, Op: "read key", Subject: subject(label), Problem: "There is no key of this name: the token holds no record of it.",
	}
}

// settled looks at the token until a record is undisputed; nil on positive evidence
// that there is none. Rivals that are alive settle their dispute in far less time
// than is waited here.
func (c *Catalog) settled(ctx context.Context, label string) (*entry, error) {
	for n := 1; ; n++ {
		objects, err := c.store.Search(ctx, labelled(label))
		if err != nil {
			return nil, err
		}
		e, err := newest(label, objects)
		if err == nil && e == nil {
			if err = c.store.ConfirmAbsent(ctx, labelled(label)); err == nil {
				return nil, nil
			}
		}
		if err == nil || !fault.Is(err, fault.Conflict) || n == patience {
			return e, err
		}
		if err := rest(ctx); err != nil {
			return nil, err
		}
	}
}

// List returns every record, see lifecycle.Catalog.
func (c *Catalog) List(ctx context.Context) ([]lifecycle.Record, error) {
	objects, err := c.store.Objects(ctx)
	if err != nil {
		return nil, err
	}
	byLabel := map[string][]cryptoki.Object{}
	for _, o := range objects {
		if label := string(o.Bytes(cryptoki.CKA_LABEL)); ours(o) && strings.HasPrefix(label, keyPrefix) {
			byLabel[label] = append(byLabel[label], o)
		}
	}
	var list []lifecycle.Record
	for label, objects := range byLabel {
		e, err := newest(label, objects)
		if err != nil {
			if e, err = c.settled(ctx, label); err != nil {
				return nil, err
			}
		}
		if e == nil {
			continue // it was withdrawn since the scan
		}
		r, err := c.handOut(e)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b lifecycle.Record) int { return strings.Compare(a.Key.Spec.Name, b.Key.Spec.Name) })
	return list, nil
}

// handOut makes a record of an entry and remembers that it was given away.
func (c *Catalog) handOut(e *entry) (lifecycle.Record, error) {
	key := new(keyring.Key)
	if err := e.decode(key); err != nil {
		return lifecycle.Record{}, err
	}
	if keyPrefix+key.Spec.Name != e.label() {
		return lifecycle.Record{}, damaged(e.label(), fmt.Sprintf("It holds the key %q.", key.Spec.Name))
	}
	c.remember(e)
	return lifecycle.Record{Key: key, Generation: e.Generation, ID: e.ID}, nil
}

func (c *Catalog) remember(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.handedOut[e.label()]
	if !ok || i.generation < e.Generation {
		i = issue{e.Generation, map[string]bool{}}
		c.handedOut[e.label()] = i
	}
	if i.generation == e.Generation {
		i.writes[e.Write] = true
	}
}

// current reports whether an entry is what a caller got as old. With the same
// generation and id it may still be another write, if the one that the caller got
// was withdrawn.
func (c *Catalog) current(e *entry, old lifecycle.Record) bool {
	if e == nil || e.Generation != old.Generation || e.ID != old.ID {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.handedOut[e.label()]
	return !ok || i.generation != e.Generation || (len(i.writes) == 1 && i.writes[e.Write])
}

func subject(label string) string {
	if name, ok := strings.CutPrefix(label, keyPrefix); ok {
		return fmt.Sprintf("key %q", name)
	}
	return "environment marker"
}
