package hsm

import (
	"context"
	"crypto"
	"fmt"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// SignBy signs in the HSM, see lifecycle.Token.
func (t *Token) SignBy(ctx context.Context, ref keyring.Ref, order lifecycle.Signing) ([]byte, error) {
	var made []byte
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		made, err = t.signBy(ctx, ref, h, order)
		return err
	})
	return made, err
}

func (t *Token) signBy(ctx context.Context, ref keyring.Ref, h halves, order lifecycle.Signing) ([]byte, error) {
	problem := func(kind fault.Kind, problem, hint string) ([]byte, error) {
		return nil, &fault.Error{Kind: kind, Op: "sign", Subject: subject(ref), Problem: problem, Hint: hint}
	}
	switch len(h.secrets) {
	case 0:
		return problem(fault.NotFound, "There is no private or secret key of this id on the token.", "Run a plan, which says what has become of the key.")
	case 1:
	default:
		return problem(fault.Inconsistent, fmt.Sprintf("There are %d private or secret keys of this id on the token.", len(h.secrets)), "Find out which one is the impostor, and remove it with the token's own tools.")
	}
	secret, public := h.pairUp(h.secrets[0])
	m, err := newMaterial(ref, secret, public)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(m.algorithm.Schemes(), order.Scheme) {
		return problem(fault.Invalid, fmt.Sprintf("An %s key does not sign by %s.", m.algorithm, order.Scheme), "Name an algorithm that goes with the key, or none for the usual one.")
	}
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range order.Scheme.Mechanisms(order.IsDigest) {
		w, ok := wayOf(order.Scheme, name)
		if !ok || !m.mayUse(known, w.mechanism.Code, keyring.Sign) {
			continue
		}
		made, err := t.device.Sign(ctx, w.mechanism, m.secret.Handle, w.take(order))
		if err != nil && unusable(err) {
			continue
		}
		if err == nil && len(made) != m.signatureSize(w) {
			err = wrong(m, fmt.Sprintf("Its signature is %d bytes long.", len(made)), nil)
		}
		return made, err
	}
	return problem(fault.Unsupported, fmt.Sprintf("The token cannot sign by %s with this key.", order.Scheme),
		"Use another scheme, or another token: data.hsm_token lists the mechanisms.")
}

// take is what goes into the HSM for what is ordered.
func (s signature) take(order lifecycle.Signing) []byte {
	if order.IsDigest {
		return slices.Concat(s.prefix, order.Input)
	}
	return s.input(order.Input)
}

// What a hash is called where it is part of a mechanism, and how its DigestInfo begins
// (RFC 8017 section 9.2 note 1).
var hashes = map[crypto.Hash]struct {
	mechanism, mgf uint
	digestInfo     []byte
}{
	crypto.SHA256: {cryptoki.CKM_SHA256, cryptoki.CKG_MGF1_SHA256, sha256DigestInfo},
	crypto.SHA384: {cryptoki.CKM_SHA384, cryptoki.CKG_MGF1_SHA384, []byte{0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30}},
	crypto.SHA512: {cryptoki.CKM_SHA512, cryptoki.CKG_MGF1_SHA512, []byte{0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40}},
}

// wayOf is how one mechanism carries a scheme out.
func wayOf(scheme keyring.Scheme, name keyring.Mechanism) (signature, bool) {
	code, ok := cryptoki.MechanismCode(string(name))
	if !ok {
		return signature{}, false
	}
	w := signature{mechanism: cryptoki.Mechanism{Code: code}, hash: scheme.Hash()}
	h := hashes[w.hash]
	w.outside = slices.Contains(scheme.Mechanisms(true), name)
	switch scheme {
	case keyring.PS256, keyring.PS384, keyring.PS512: // the salt is as long as the hash (RFC 7518 section 3.5)
		w.mechanism, w.pss = pss(code, h.mechanism, h.mgf, uint(w.hash.Size())), true
	case keyring.RS256, keyring.RS384, keyring.RS512:
		if w.outside {
			w.prefix = h.digestInfo
		}
	}
	return w, true
}
