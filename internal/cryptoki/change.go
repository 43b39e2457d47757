package cryptoki

import (
	"context"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Writes run on the held session, which owns the session objects (CKA_TOKEN
// false): those live until Close. Every write reads back what it made, and folds
// it into the memory, before anybody else has a turn. Writes to token objects run beside
// each other, in sessions of the pool, where the token bears that: they are of different
// objects, and nobody looks at the token meanwhile. A failure to read back is a
// failure of the write although the object is there; look for it by its CKA_ID.

// CreateObject makes an object of attributes (C_CreateObject, section 5.7). A kill
// may leave an object without attributes on SoftHSM.
func (t *Token) CreateObject(ctx context.Context, attrs []Attribute) (Object, error) {
	const op = "create object"
	if len(attrs) == 0 {
		return Object{}, noAttributes(op)
	}
	return t.produce(ctx, op, nil, attrs, func(d driver, session uint, _ []uint) (uint, error) { return d.CreateObject(session, attrs) })
}

// CopyObject copies an object with the given attributes changed (C_CopyObject).
// Which may be changed differs: SoftHSM takes the usage flags, and refuses
// CKA_EXTRACTABLE and CKA_ALLOWED_MECHANISMS as CKR_ATTRIBUTE_READ_ONLY. A kill
// leaves the original, and perhaps the copy.
func (t *Token) CopyObject(ctx context.Context, h Handle, attrs []Attribute) (Object, error) {
	return t.produce(ctx, "copy object", []Handle{h}, attrs, func(d driver, session uint, objects []uint) (uint, error) {
		return d.CopyObject(session, objects[0], attrs)
	})
}

// GenerateKey generates a secret key (C_GenerateKey, section 5.13).
func (t *Token) GenerateKey(ctx context.Context, m Mechanism, attrs []Attribute) (Object, error) {
	return t.produce(ctx, generation("key", m, nil), nil, attrs, func(d driver, session uint, _ []uint) (uint, error) {
		return d.GenerateKey(session, m, attrs)
	})
}

// GenerateKeyPair generates a key pair (C_GenerateKeyPair). A kill may leave one
// half, or halves without attributes.
func (t *Token) GenerateKeyPair(ctx context.Context, m Mechanism, public, private []Attribute) (pub, priv Object, err error) {
	op := generation("key pair", m, public)
	err = t.write(ctx, op, nil, private, func(d driver, a *attachment, session uint, _ []uint) error {
		p, s, err := d.GenerateKeyPair(session, m, public, private)
		if err != nil {
			return err
		}
		if pub, err = t.welcome(d, a, session, p); err != nil {
			return err
		}
		priv, err = t.welcome(d, a, session, s)
		return err
	})
	return pub, priv, err
}

// Unwrap makes a key of a wrapped one (C_UnwrapKey).
func (t *Token) Unwrap(ctx context.Context, m Mechanism, unwrapping Handle, wrapped []byte, attrs []Attribute) (Object, error) {
	const op = "unwrap key"
	if len(wrapped) == 0 {
		return Object{}, &fault.Error{Kind: fault.Invalid, Op: op, Problem: "There is no wrapped key.", Hint: "Give what the other side wrapped."}
	}
	return t.produce(ctx, op, []Handle{unwrapping}, attrs, func(d driver, session uint, objects []uint) (uint, error) {
		return d.UnwrapKey(session, m, objects[0], wrapped, attrs)
	})
}

// Derive makes a key from another one (C_DeriveKey).
func (t *Token) Derive(ctx context.Context, m Mechanism, base Handle, attrs []Attribute) (Handle, error) {
	o, err := t.produce(ctx, "derive key", []Handle{base}, attrs, func(d driver, session uint, objects []uint) (uint, error) {
		return d.DeriveKey(session, m, objects[0], attrs)
	})
	return o.Handle, err
}

// SetAttributes changes an object in place (C_SetAttributeValue). A kill in here
// loses the object on SoftHSM; see Profile.CopyToChange.
func (t *Token) SetAttributes(ctx context.Context, h Handle, attrs []Attribute) error {
	const op = "change object"
	if len(attrs) == 0 {
		return noAttributes(op)
	}
	return t.write(ctx, op, []Handle{h}, attrs, func(d driver, a *attachment, session uint, objects []uint) error {
		if err := d.SetAttributes(session, objects[0], attrs); err != nil {
			return err
		}
		_, err := a.readBack(d, session, objects[0])
		return err
	})
}

// DestroyObject destroys an object (C_DestroyObject). It is durable on return, and
// the handle void.
func (t *Token) DestroyObject(ctx context.Context, h Handle) error {
	return t.write(ctx, "destroy object", []Handle{h}, nil, func(d driver, a *attachment, session uint, objects []uint) error {
		err := d.DestroyObject(session, objects[0])
		if err == nil || isGone(err) {
			a.objects.forget(h)
		}
		return err
	})
}

// runsBeside reports whether a write may overlap with others: of token objects, as those of
// a session belong to the held one.
func (t *Token) runsBeside(ctx context.Context, handles []Handle, attrs []Attribute) bool {
	a, err := t.attached(true)
	if a == nil || err != nil || !a.concurrent || ctx.Value(alone{t}) != nil {
		return false
	}
	for _, attr := range attrs {
		if attr.Type == CKA_TOKEN {
			return attr.Bool()
		}
	}
	return len(handles) > 0 && a.objects.remembers(handles)
}

// produce is a write that makes one object.
func (t *Token) produce(ctx context.Context, op string, handles []Handle, attrs []Attribute, f func(d driver, session uint, objects []uint) (uint, error)) (o Object, err error) {
	err = t.write(ctx, op, handles, attrs, func(d driver, a *attachment, session uint, objects []uint) error {
		made, err := f(d, session, objects)
		if err != nil {
			return err
		}
		o, err = t.welcome(d, a, session, made)
		return err
	})
	return o, err
}

// write runs f in the gate, on a session, with the handles resolved. The attributes are
// those that it gives an object.
func (t *Token) write(ctx context.Context, op string, handles []Handle, attrs []Attribute, f func(d driver, a *attachment, session uint, objects []uint) error) error {
	if err := t.enter(op); err != nil {
		return err
	}
	defer t.leave()
	beside := t.runsBeside(ctx, handles, attrs)
	a, done, err := t.manage(ctx, beside)
	if err != nil {
		return err
	}
	defer done()
	held := true
	write := func(d driver, session uint) error {
		objects, err := a.objects.resolve(handles)
		if err != nil {
			return err
		}
		defer t.waiting(ctx, a, op, 1)()
		return a.inTurn(ctx, d, func() error { return f(d, a, session, objects) })
	}
	if beside {
		held, err = a.lend(ctx, true, write)
	} else {
		err = a.run(ctx, func(d driver) error { return write(d, a.held) })
	}
	if a.twofold.Load() {
		return t.startAnew(ctx, op, a)
	}
	if spoilsSession(err) {
		a.objects.doubt() // nobody knows whether it was done
	}
	if held {
		return t.fail(ctx, op, a, err)
	}
	return t.failOnLent(ctx, op, a, err)
}

// welcome is readBack for an object that was just made. A handle that is remembered as
// another object's is either free again, since somebody else destroyed that one, or the
// module gave it out twice: tpm2-pkcs11 does so once the first object of its list was
// destroyed. Whatever is done by such a handle may hit the other object, so the module
// is started anew, which numbers all objects afresh, and the outcome is unknown.
func (t *Token) welcome(d driver, a *attachment, session, object uint) (Object, error) {
	if a.objects.release(object) {
		all, err := d.FindObjects(session, nil)
		if err != nil {
			return Object{}, err
		}
		if twice := slices.Index(all, object); twice >= 0 && slices.Contains(all[twice+1:], object) {
			a.twofold.Store(true)
			return Object{}, &callError{"handle", CKR_GENERAL_ERROR}
		}
	}
	return a.readBack(d, session, object)
}

// startAnew finalises a module that gave out a handle twice; the next operation
// initialises it again. That is not possible while another Token uses the module.
func (t *Token) startAnew(ctx context.Context, op string, a *attachment) error {
	t.lose(ctx, a, &callError{"handle", CKR_OBJECT_HANDLE_INVALID})
	t.acquire().restart(context.WithoutCancel(ctx), 0)
	return &fault.Error{
		Kind: fault.Unavailable, Op: op, Subject: t.subject(a), Problem: "The module gave the new object a handle that another object has already.",
		Hint: "Run again; what was done so far is kept. Nothing was done to the other object.",
	}
}

// readBack reads an object that was just made or changed, and remembers it.
func (a *attachment) readBack(d driver, session, object uint) (Object, error) {
	o, err := a.reader.read(d, session, object)
	if err != nil {
		return Object{}, err
	}
	o.Handle = a.objects.handle(object)
	a.objects.fold(o)
	return o, nil
}

// resolve turns handles into the module's.
func (m *memory) resolve(handles []Handle) ([]uint, error) {
	objects := make([]uint, 0, len(handles))
	for _, h := range handles {
		object, err := m.object(h)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

func noAttributes(op string) error {
	return &fault.Error{Kind: fault.Internal, Op: op, Problem: "No attributes were given.", Hint: hintReport}
}
