package token

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keystead/terraform-provider-hsm/internal/catalog"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/environment"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Store is where the objects are; *cryptoki.Token is one. All methods are as
// documented there.
type Store interface {
	Objects(ctx context.Context) ([]cryptoki.Object, error)
	Lookup(ctx context.Context, typ uint, value []byte) ([]cryptoki.Object, error)
	Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error)
	Survey(ctx context.Context, template []cryptoki.Attribute) error
	ConfirmAbsent(ctx context.Context, template []cryptoki.Attribute) error
	CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error)
	DestroyObject(ctx context.Context, h cryptoki.Handle) error
	KeepsData(ctx context.Context) (bool, error)
}

var _ Store = (*cryptoki.Token)(nil)

// Catalog keeps records on one token: the environment's marker itself, and the
// records of each Kind through [Of]. Reading answers from the Store's memory of
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

var _ environment.Marker = (*Catalog)(nil)

// New returns the catalog on a token. It does no I/O.
func New(s Store) *Catalog { return &Catalog{store: s, handedOut: map[string]issue{}} }

const (
	application      = "terraform-provider-hsm"
	environmentLabel = "environment"
)

// Kind is a kind of records. Names are unique within a kind.
type Kind string

// The kinds. They are part of what is stored.
const (
	Keys        Kind = "key"
	Credentials Kind = "credential"
	Policies    Kind = "policy"
)

// nouns are what people call the kinds.
var nouns = map[Kind]string{ //nolint:gosec // G101 takes the word for one
	Keys: "key", Credentials: "API credential", Policies: "access policy",
}

func (k Kind) label(name string) string { return string(k) + "/" + name }

// kindOf tells the kind of a record, and its name, from its label.
func kindOf(label string) (kind Kind, name string, ok bool) {
	before, name, found := strings.Cut(label, "/")
	_, known := nouns[Kind(before)]
	return Kind(before), name, found && known
}

// Records are the records of one kind, see catalog.Records.
type Records[T catalog.Body[T]] struct {
	*Catalog
	kind Kind
}

// Of returns the records of a kind, whose bodies are of the type T: always the same
// for a kind.
func Of[T catalog.Body[T]](c *Catalog, kind Kind) *Records[T] { return &Records[T]{c, kind} }

// Witness matches the object that is on a token as long as the token is the
// environment's: its stamp. It is meant for cryptoki.Config.
func Witness() []cryptoki.Attribute { return labelled(environmentLabel) }

// all matches the objects of all records.
func all() []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA),
		cryptoki.Bytes(cryptoki.CKA_APPLICATION, []byte(application)),
	}
}

// labelled matches the objects of one record.
func labelled(label string) []cryptoki.Attribute {
	return append(all(), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)))
}

// ours reports whether an object is a record of this package.
func ours(o cryptoki.Object) bool {
	return o.Class == cryptoki.CKO_DATA && string(o.Bytes(cryptoki.CKA_APPLICATION)) == application
}

// Load returns one record, see catalog.Records. It answers from memory, and
// Replace makes sure that it was still the newest; that a record is missing is
// never answered from memory.
func (r *Records[T]) Load(ctx context.Context, name string) (catalog.Record[T], error) {
	e, err := r.load(ctx, r.kind.label(name))
	if err != nil {
		return catalog.Record[T]{}, err
	}
	return r.handOut(e)
}

// Look returns one record as it is on the token now, see catalog.Records.
func (r *Records[T]) Look(ctx context.Context, name string) (catalog.Record[T], error) {
	label := r.kind.label(name)
	e, err := r.settled(ctx, label)
	if err == nil && e == nil {
		err = notFound(label)
	}
	if err != nil {
		return catalog.Record[T]{}, err
	}
	return r.handOut(e)
}

func (c *Catalog) load(ctx context.Context, label string) (*entry, error) {
	objects, err := c.store.Lookup(ctx, cryptoki.CKA_LABEL, []byte(label))
	if err != nil {
		return nil, err
	}
	e, err := newest(label, objects)
	if err == nil && e == nil {
		err = c.store.ConfirmAbsent(ctx, labelled(label))
		if err == nil {
			return nil, notFound(label)
		}
	}
	if err != nil {
		// In dispute or damaged, as of some time ago, or just made: look at the token.
		if e, err = c.settled(ctx, label); err != nil {
			return nil, err
		}
	}
	if e == nil {
		return nil, notFound(label)
	}
	return e, nil
}

func notFound(label string) error {
	kind, _, _ := kindOf(label)
	return &fault.Error{
		Kind: fault.NotFound, Op: "read " + nouns[kind], Subject: subject(label),
		Problem: fmt.Sprintf("There is no %s of this name: the token holds no record of it.", nouns[kind]),
		Hint:    "Check the name, and whether this is the token that was meant.",
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

// List returns every record of the kind, see catalog.Records.
func (r *Records[T]) List(ctx context.Context) ([]catalog.Record[T], error) {
	objects, err := r.store.Objects(ctx)
	if err != nil {
		return nil, err
	}
	byLabel := map[string][]cryptoki.Object{}
	for _, o := range objects {
		label := string(o.Bytes(cryptoki.CKA_LABEL))
		if kind, _, ok := kindOf(label); ok && kind == r.kind && ours(o) {
			byLabel[label] = append(byLabel[label], o)
		}
	}
	var list []catalog.Record[T]
	for label, objects := range byLabel {
		e, err := newest(label, objects)
		if err != nil {
			if e, err = r.settled(ctx, label); err != nil {
				return nil, err
			}
		}
		if e == nil {
			continue // it was withdrawn since the scan
		}
		record, err := r.handOut(e)
		if err != nil {
			return nil, err
		}
		list = append(list, record)
	}
	slices.SortFunc(list, func(a, b catalog.Record[T]) int { return strings.Compare(a.Body.RecordName(), b.Body.RecordName()) })
	return list, nil
}

// handOut makes a record of an entry and remembers that it was given away.
func (r *Records[T]) handOut(e *entry) (catalog.Record[T], error) {
	var body T
	if err := e.decode(&body); err != nil {
		return catalog.Record[T]{}, err
	}
	if flaw := body.Flaw(); flaw != "" {
		return catalog.Record[T]{}, damaged(e.label(), flaw)
	}
	if name := body.RecordName(); r.kind.label(name) != e.label() {
		return catalog.Record[T]{}, damaged(e.label(), fmt.Sprintf("It holds the %s %q.", nouns[r.kind], name))
	}
	r.remember(e)
	return catalog.Record[T]{Body: body, Generation: e.Generation, ID: e.ID}, nil
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

// origin is which record, and which generation of it, a caller got.
type origin struct {
	generation int
	id         string
}

// current reports whether an entry is what a caller got as old. With the same
// generation and id it may still be another write, if the one that the caller got
// was withdrawn.
func (c *Catalog) current(e *entry, old origin) bool {
	if e == nil || e.Generation != old.generation || e.ID != old.id {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.handedOut[e.label()]
	return !ok || i.generation != e.Generation || (len(i.writes) == 1 && i.writes[e.Write])
}

func subject(label string) string {
	if kind, name, ok := kindOf(label); ok {
		return fmt.Sprintf("%s %q", nouns[kind], name)
	}
	return "environment marker"
}
