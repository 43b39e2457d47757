package cryptoki

import (
	"context"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// probeLabel is the CKA_LABEL of a data object that is made to see whether it can be.
const probeLabel = "terraform-provider-hsm probe"

// KeepsData reports whether the token takes private data objects, which not every one
// does (NSS softokn has none that are kept). One that is there already answers it;
// otherwise it is tried with a session object, which vanishes with the session, and on
// a token that refuses those with a token object that is destroyed at once. The answer
// is kept for the life of the Token. An error says that the token could not be asked.
func (t *Token) KeepsData(ctx context.Context) (bool, error) {
	if err := t.asking.enter(ctx); err != nil { // tried once, and not while others act on the answer
		return false, err
	}
	defer t.asking.leave()
	if t.keepsData != nil {
		return *t.keepsData, nil
	}
	keeps, err := t.tryData(ctx)
	if err != nil {
		return false, err
	}
	t.keepsData = &keeps
	return keeps, nil
}

func (t *Token) tryData(ctx context.Context) (bool, error) {
	objects, err := t.Objects(ctx)
	if err != nil {
		return false, err
	}
	for _, o := range objects {
		if o.Class != CKO_DATA || !o.Bool(CKA_PRIVATE) {
			continue
		}
		if string(o.Bytes(CKA_LABEL)) != probeLabel {
			return true, nil
		}
		if err := t.DestroyObject(ctx, o.Handle); err != nil { // a killed run left it
			return false, err
		}
	}
	for _, lasting := range []bool{false, true} {
		o, err := t.CreateObject(ctx, []Attribute{
			Ulong(CKA_CLASS, CKO_DATA), Bytes(CKA_LABEL, []byte(probeLabel)), Bytes(CKA_APPLICATION, []byte(probeLabel)),
			Bool(CKA_TOKEN, lasting), Bool(CKA_PRIVATE, true), Bool(CKA_MODIFIABLE, false), Bytes(CKA_VALUE, []byte(probeLabel)),
		})
		switch {
		case err == nil:
			return true, t.DestroyObject(ctx, o.Handle)
		case !fault.Is(err, fault.Unsupported):
			return false, err
		}
	}
	return false, nil
}
