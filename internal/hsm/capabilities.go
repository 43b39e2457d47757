package hsm

import (
	"context"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Capabilities tells what the token can do. The answer comes from trying with
// throw-away keys and is kept for the life of the Token; it must not be changed. A
// token that could not be asked is an error (fault.Unavailable, Denied, Exhausted),
// and the next call asks again.
//
// The keys are session keys. A token that makes none gets token keys, which are
// destroyed at once: its list of mechanisms alone says too much (a TPM lists AES keys
// and refuses to make them).
//
// RSA is believed from the mechanism list, sizes included: making a pair only to
// drop it takes seconds. A token on which no key can be made to try is believed in
// everything, except that it restricts, enforces and attests nothing.
func (t *Token) Capabilities(ctx context.Context) (keyring.Capabilities, error) {
	attests, err := t.attested(ctx)
	if err != nil {
		return keyring.Capabilities{}, err
	}
	t.probing.Lock()
	defer t.probing.Unlock()
	if t.capabilities == nil {
		var found keyring.Capabilities
		err := t.undisturbed(ctx, func(ctx context.Context) (err error) {
			found, err = t.probe(ctx)
			return err
		})
		if err != nil {
			return keyring.Capabilities{}, failed(err, "probe token", "", "It could not be found out what the token can do.")
		}
		found.Attests = attests
		if found.KeepsRecords, err = t.device.KeepsData(ctx); err != nil {
			return keyring.Capabilities{}, failed(err, "probe token", "", "It could not be found out whether the token keeps data objects.")
		}
		t.capabilities = &found
	}
	return *t.capabilities, nil
}

func (t *Token) probe(ctx context.Context) (keyring.Capabilities, error) {
	known, err := t.device.Mechanisms(ctx)
	if err != nil {
		return keyring.Capabilities{}, err
	}
	c := keyring.Capabilities{
		Mechanisms: mechanisms(known), Algorithms: map[keyring.Algorithm]keyring.Operations{}, Enforcement: keyring.EnforcedAdvisory,
	}
	p := prober{token: t, known: known, switches: map[keyring.Family]verdict{}}
	if err := p.tryAll(ctx, c.Algorithms); err != nil {
		return c, err
	}
	if len(c.Algorithms) > 0 {
		c.Enforcement = p.enforcement()
		if c.RestrictsMechanisms, err = p.restricts(ctx, c.Algorithms); err != nil {
			return c, err
		}
	}
	trusted := keyring.Algorithms()
	if len(c.Algorithms) > 0 {
		trusted = slices.DeleteFunc(trusted, func(a keyring.Algorithm) bool { return a.Family() != keyring.RSA })
	}
	for _, a := range trusted {
		if ops := listed(a, known); ops != keyring.None {
			c.Algorithms[a] = ops
		}
	}
	return c, nil
}

// mechanisms translates the token's list. The key sizes are in whatever unit the
// mechanism has.
func mechanisms(known map[uint]cryptoki.MechanismInfo) map[keyring.Mechanism]keyring.MechanismInfo {
	list := make(map[keyring.Mechanism]keyring.MechanismInfo, len(known))
	for code, info := range known {
		m := keyring.MechanismInfo{MinKeySize: int(info.MinKeySize), MaxKeySize: int(info.MaxKeySize), Algorithms: worksWith(code)}
		for _, f := range mechanismUses {
			if info.Flags&f.flag != 0 {
				m.Uses = append(m.Uses, f.name)
			}
		}
		list[keyring.Mechanism(cryptoki.MechanismName(code))] = m
	}
	return list
}

// mechanismUses are the CKF_ flags of what a mechanism is for, by name.
var mechanismUses = []struct {
	name string
	flag uint
}{
	{"decrypt", cryptoki.CKF_DECRYPT},
	{"derive", cryptoki.CKF_DERIVE},
	{"digest", cryptoki.CKF_DIGEST},
	{"encrypt", cryptoki.CKF_ENCRYPT},
	{"generate", cryptoki.CKF_GENERATE},
	{"generate_key_pair", cryptoki.CKF_GENERATE_KEY_PAIR},
	{"hw", cryptoki.CKF_HW},
	{"sign", cryptoki.CKF_SIGN},
	{"sign_recover", cryptoki.CKF_SIGN_RECOVER},
	{"unwrap", cryptoki.CKF_UNWRAP},
	{"verify", cryptoki.CKF_VERIFY},
	{"verify_recover", cryptoki.CKF_VERIFY_RECOVER},
	{"wrap", cryptoki.CKF_WRAP},
}

// listed returns what a key could do by the token's own word, nothing if the
// token does not claim to make such keys. No list tells curves apart; of those
// with the same size the one that every token with EC has is believed.
func listed(a keyring.Algorithm, known map[uint]cryptoki.MechanismInfo) keyring.Operations {
	info, ok := known[shapes[a].generate]
	if !ok || a == keyring.ECSecp256k1 || a.Family() == keyring.Edwards || !sizeListed(a, info) {
		return keyring.None
	}
	m, ops := material{algorithm: a}, keyring.None
	_ = each(a.Operations(), func(op keyring.Operations) error {
		able := len(m.signatures(known, op))
		switch {
		case op&(keyring.Encrypt|keyring.Decrypt) != 0:
			able = len(m.ciphers(known, op))
		case op&(keyring.Wrap|keyring.Unwrap) != 0:
			able = len(m.transports(known, op))
		case op == keyring.Derive && m.mayUse(known, cryptoki.CKM_ECDH1_DERIVE, op):
			able = 1
		}
		if able > 0 {
			ops |= op
		}
		return nil
	})
	return ops
}

// sizeListed compares with the sizes of a mechanism: bits for pairs, bytes for
// secret keys, although some tokens count those in bits too. No maximum is no limit.
func sizeListed(a keyring.Algorithm, info cryptoki.MechanismInfo) bool {
	fits := func(size uint) bool {
		return size >= info.MinKeySize && (size <= info.MaxKeySize || info.MaxKeySize == 0)
	}
	bits := uint(a.Bits())
	return fits(bits) || !a.IsPair() && fits(bits/8)
}

// unclear reports whether a failure may be the token's way to say no: tokens
// answer CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED or (NSS, to a MAC that is wrong)
// CKR_DEVICE_ERROR to things they cannot do as well as when they are broken.
func unclear(err error) bool {
	code, ok := cryptoki.Code(err)
	return ok && fault.Is(err, fault.Unavailable) &&
		slices.Contains([]uint{cryptoki.CKR_GENERAL_ERROR, cryptoki.CKR_FUNCTION_FAILED, cryptoki.CKR_DEVICE_ERROR}, code)
}
