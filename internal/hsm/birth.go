package hsm

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// certificate reads the birth certificate of a secret or private key.
func certificate(o cryptoki.Object, attested bool) keyring.Birth {
	return keyring.Birth{
		Local:            o.Bool(cryptoki.CKA_LOCAL),
		NeverExtractable: o.Bool(cryptoki.CKA_NEVER_EXTRACTABLE),
		AlwaysSensitive:  o.Bool(cryptoki.CKA_ALWAYS_SENSITIVE),
		Attested:         attested,
	}
}

// checkBirth compares a new key with its order. A key that is not what was ordered
// is fault.Inconsistent. The birth certificate counts only on a token that is
// known to tell the truth in it.
func checkBirth(p plan, m material, attested bool) (keyring.Birth, error) {
	halves := []cryptoki.Object{m.secret}
	if p.Ref.Pair {
		halves = append(halves, m.public)
	}
	for _, o := range halves {
		if problem := p.deviation(o); problem != "" {
			return keyring.Birth{}, misborn(p, problem)
		}
	}
	birth := certificate(m.secret, attested)
	if !attested {
		return birth, nil
	}
	switch {
	case p.imported && (birth.Local || birth.AlwaysSensitive || birth.NeverExtractable):
		return birth, misborn(p, "The token says of the imported key that it was generated on it, or never was outside (CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE).")
	case p.imported:
		return birth, nil
	case !birth.Local:
		return birth, misborn(p, "The token says that the new key was not generated on it (CKA_LOCAL is false).")
	case !birth.AlwaysSensitive:
		return birth, misborn(p, "The token says that the new key could be read at some time (CKA_ALWAYS_SENSITIVE is false).")
	case birth.NeverExtractable == p.Extractable:
		return birth, misborn(p, fmt.Sprintf("CKA_NEVER_EXTRACTABLE of the new key is %t, against the order.", birth.NeverExtractable))
	}
	return birth, nil
}

// deviation says how one object differs from the order, in a sentence; empty if it
// does not. What the token does not reveal can't be held against it, except for a
// flag that should be on.
func (p plan) deviation(o cryptoki.Object) string {
	if string(o.Bytes(cryptoki.CKA_ID)) != string(p.id) || string(o.Bytes(cryptoki.CKA_LABEL)) != p.Ref.Label {
		return "The new key does not carry the id and the label that were ordered."
	}
	if wanted := p.Operations & covers(o.Class); permitted(o) != wanted {
		return fmt.Sprintf("The %s may %s; ordered was: %s.", classNames[o.Class], permitted(o), wanted)
	}
	if mechanism, ok := o.Ulong(cryptoki.CKA_KEY_GEN_MECHANISM); ok && !p.imported && mechanism != p.shape.generate {
		return fmt.Sprintf("The token says that it was generated with %s instead of %s.",
			cryptoki.MechanismName(mechanism), cryptoki.MechanismName(p.shape.generate))
	}
	for attribute, wanted := range p.protection(o.Class) {
		if o.Has(attribute) && o.Bool(attribute) != wanted {
			return fmt.Sprintf("The attribute 0x%X of the %s is %t; ordered was %t.", attribute, classNames[o.Class], !wanted, wanted)
		}
	}
	got := o.Ulongs(cryptoki.CKA_ALLOWED_MECHANISMS)
	if len(p.allowed) > 0 && !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(p.allowed))) {
		return "The token did not keep the list of allowed mechanisms (CKA_ALLOWED_MECHANISMS)."
	}
	return ""
}

// protection lists what a new object must say of who can get at it.
func (p plan) protection(class uint) map[uint]bool {
	if class == cryptoki.CKO_PUBLIC_KEY {
		return map[uint]bool{cryptoki.CKA_TOKEN: !p.session}
	}
	return map[uint]bool{
		cryptoki.CKA_TOKEN: !p.session, cryptoki.CKA_PRIVATE: true, cryptoki.CKA_SENSITIVE: true, cryptoki.CKA_EXTRACTABLE: p.Extractable,
	}
}

func misborn(p plan, problem string) error {
	return &fault.Error{
		Kind: fault.Inconsistent, Op: "check new key", Subject: subject(p.Ref), Problem: problem,
		Hint: "The key was rejected. Have the token and its configuration examined: other keys came out as ordered, this one did not.",
	}
}

// attested reports whether this token tells the truth in birth certificates. It
// is found out once, with throw-away keys: one as protected as can be, one that is
// extractable, and one that was not generated but brought along. A token that
// tells all three apart is believed from then on.
//
// No is an answer, and remembered; a token that could not be asked is an error.
func (t *Token) attested(ctx context.Context) (bool, error) {
	t.probing.Lock()
	defer t.probing.Unlock()
	if t.attests == nil {
		truthful, err := t.probeBirth(ctx)
		if err != nil {
			return false, failed(err, "probe token", "", "It could not be found out whether the token tells the truth about where keys come from.")
		}
		t.attests = &truthful
	}
	return *t.attests, nil
}

// probeBirth makes the throw-away keys, as session keys or, on a token that makes none
// at all (a TPM), as token keys.
func (t *Token) probeBirth(ctx context.Context) (bool, error) {
	for _, lasting := range []bool{false, true} {
		if lasting {
			if err := t.sweepThrowaways(ctx); err != nil {
				return false, err
			}
		}
		t.lasting.Store(lasting)
		var truthful, made bool
		err := t.undisturbed(ctx, func(ctx context.Context) (err error) {
			truthful, made, err = t.tellBirths(ctx)
			return err
		})
		if err != nil || made {
			return truthful, err
		}
	}
	t.lasting.Store(false) // nothing can be made here in either way
	return false, nil
}

// tellBirths compares what the token says of throw-away keys with what is known of
// them, with the first algorithm of which it makes such keys. RSA comes last: it takes
// long. made says that some key could be made.
func (t *Token) tellBirths(ctx context.Context) (truthful, made bool, err error) {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return false, false, err
	}
	for _, a := range []keyring.Algorithm{keyring.AES256, keyring.HMACSHA256, keyring.ECP256, keyring.RSA2048} {
		if _, ok := known[shapes[a].generate]; !ok {
			continue
		}
		truthful := true
		for _, extractable := range []bool{false, true} {
			m, err := t.throwaway(ctx, a, a.DefaultOperations(), extractable, nil)
			if err != nil && !definite(err) {
				return false, made, err
			}
			if truthful = err == nil; !truthful {
				break
			}
			made = true
			t.discard(ctx, m.secret.Handle, m.public.Handle)
			b := certificate(m.secret, true)
			if !b.Local || !b.AlwaysSensitive || b.NeverExtractable == extractable {
				return false, made, nil
			}
		}
		if truthful {
			truthful, err := t.admitsImport(ctx)
			return truthful, made, err
		}
	}
	return false, made, nil
}

// admitsImport brings a key along and sees whether the token takes it for one of
// its own. A token that accepts no such key has nothing to lie about.
func (t *Token) admitsImport(ctx context.Context) (bool, error) {
	var value [32]byte
	_, _ = rand.Read(value[:]) // never fails
	o, err := t.device.CreateObject(ctx, []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY),
		cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, cryptoki.CKK_GENERIC_SECRET),
		cryptoki.Bool(cryptoki.CKA_TOKEN, false),
		cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
		cryptoki.Bool(cryptoki.CKA_SENSITIVE, true),
		cryptoki.Bool(cryptoki.CKA_EXTRACTABLE, false),
		cryptoki.Bytes(cryptoki.CKA_VALUE, value[:]),
	})
	if err != nil {
		if definite(err) {
			return true, nil
		}
		return false, err
	}
	t.discard(ctx, o.Handle)
	b := certificate(o, true)
	return !b.Local && !b.NeverExtractable && !b.AlwaysSensitive, nil
}
