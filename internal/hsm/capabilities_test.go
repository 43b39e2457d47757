package hsm_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

func TestCapabilities(t *testing.T) {
	b := newBench(t)
	if _, err := b.hsm.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.device.Objects(t.Context()); err != nil { // opening and logging in are not what is timed
		t.Fatal(err)
	}
	start := time.Now()
	c, err := b.hsm.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("probing took %s", time.Since(start))
	for _, a := range keyring.Algorithms() {
		if c.Algorithms[a] != a.Operations() {
			t.Errorf("%s can %s; it should %s", a, c.Algorithms[a], a.Operations())
		}
	}
	if !c.RestrictsMechanisms || c.Enforcement != keyring.EnforcedByHSM || !c.Attests {
		t.Errorf("restricts %t, enforces %q, attests %t", c.RestrictsMechanisms, c.Enforcement, c.Attests)
	}
	if m, ok := c.Mechanisms["CKM_ECDSA"]; !ok || len(m.Uses) == 0 || m.MaxKeySize < 256 {
		t.Errorf("CKM_ECDSA: %+v", m)
	}
	left, err := b.device.Search(t.Context(), nil)
	if err != nil || len(left) > 0 {
		t.Errorf("probing left %d objects (%v)", len(left), err)
	}
	start = time.Now()
	if _, err := b.hsm.Capabilities(t.Context()); err != nil || time.Since(start) > 5*time.Millisecond {
		t.Errorf("the second call took %s (%v)", time.Since(start), err)
	}
}

// TestCapabilitiesUnknown: a token that could not be asked is an error, and is
// asked again.
func TestCapabilitiesUnknown(t *testing.T) {
	b := newBench(t)
	for _, kind := range []fault.Kind{fault.Unavailable, fault.Exhausted, fault.Denied} {
		for _, call := range []string{"GenerateKey", "GenerateKeyPair", "Sign", "SetAttributes", "CreateObject"} {
			r := &rig{Device: b.device}
			r.before = r.on(call, 1, false, broken(kind))
			token := hsm.NewOn(r)
			if _, err := token.Capabilities(t.Context()); !fault.Is(err, kind) {
				t.Errorf("%s fails: %v", call, err)
			}
			if c, err := token.Capabilities(t.Context()); err != nil || len(c.Algorithms) != len(keyring.Algorithms()) || !c.Attests {
				t.Errorf("after %s failed: %d algorithms, %v", call, len(c.Algorithms), err)
			}
		}
	}
}

// TestCapabilitiesUnclear: CKR_GENERAL_ERROR may mean no, and may mean a broken
// token. It is taken for a no when it is repeated while other things work.
func TestCapabilitiesUnclear(t *testing.T) {
	b := newBench(t)
	general := generalError(t, b)
	t.Run("one curve", func(t *testing.T) {
		r := &rig{Device: b.device}
		token := hsm.NewOn(r)
		r.attributes = func(list []cryptoki.Attribute) []cryptoki.Attribute {
			for _, a := range list {
				if a.Type == cryptoki.CKA_EC_PARAMS && len(a.Value) == 10 { // P-256
					r.before = func(string) error { r.before = nil; return nil }
					r.after = func(string) error { r.after = nil; return general }
				}
			}
			return list
		}
		c, err := token.Capabilities(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Algorithms[keyring.ECP256]; ok || len(c.Algorithms) != len(keyring.Algorithms())-1 {
			t.Errorf("%v", c.Algorithms)
		}
	})
	t.Run("once only", func(t *testing.T) {
		r := &rig{Device: b.device}
		r.before = r.on("GenerateKeyPair", 1, false, general)
		c, err := hsm.NewOn(r).Capabilities(t.Context())
		if err != nil || len(c.Algorithms) != len(keyring.Algorithms()) {
			t.Errorf("%v, %v", c.Algorithms, err)
		}
	})
	t.Run("everything", func(t *testing.T) {
		r := &rig{Device: b.device}
		r.before = func(call string) error {
			if call == "GenerateKey" || call == "GenerateKeyPair" {
				return general
			}
			return nil
		}
		if _, err := hsm.NewOn(r).Capabilities(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%v", err)
		}
	})
}

// generalError has SoftHSM answer CKR_GENERAL_ERROR, to a wrapped key that is none.
func generalError(t *testing.T, b *bench) error {
	t.Helper()
	o := order("general error", keyring.AES256, keyring.Unwrap)
	b.generate(t, o)
	_, err := b.device.Unwrap(t.Context(), cryptoki.Mechanism{Code: cryptoki.CKM_AES_KEY_WRAP}, b.objects(t, o.Ref.ID)[0].Handle, make([]byte, 40),
		[]cryptoki.Attribute{cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_SECRET_KEY), cryptoki.Ulong(cryptoki.CKA_KEY_TYPE, cryptoki.CKK_AES), cryptoki.Bool(cryptoki.CKA_TOKEN, false)})
	if code, ok := cryptoki.Code(err); !ok || code != cryptoki.CKR_GENERAL_ERROR {
		t.Fatalf("%v", err)
	}
	return err
}

// TestCapabilitiesNoSessionKeys: a token that makes no session keys is believed, but
// not in what it is supposed to stop.
func TestCapabilitiesNoSessionKeys(t *testing.T) {
	b := newBench(t)
	r := &rig{Device: b.device}
	r.before = func(call string) error {
		if call == "GenerateKey" || call == "GenerateKeyPair" {
			return broken(fault.Unsupported)
		}
		return nil
	}
	c, err := hsm.NewOn(r).Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Enforcement != keyring.EnforcedAdvisory || c.Attests || c.RestrictsMechanisms {
		t.Errorf("enforces %q, attests %t, restricts %t", c.Enforcement, c.Attests, c.RestrictsMechanisms)
	}
	if c.Algorithms[keyring.AES256] != keyring.AES256.Operations() || c.Algorithms[keyring.ECP384] != keyring.ECP384.Operations() {
		t.Errorf("%v", c.Algorithms)
	}
}

// TestCapabilitiesLiar: flags that can be cleared without effect.
func TestCapabilitiesLiar(t *testing.T) {
	b := newBench(t)
	c, err := hsm.NewOn(deaf{b.device}).Capabilities(t.Context())
	if err != nil || c.Enforcement != keyring.EnforcedAdvisory {
		t.Errorf("%q, %v", c.Enforcement, err)
	}
}

// TestWithoutAES: a token without AES tests wrapping and agreement with HMAC keys,
// one without either does not test them.
func TestWithoutAES(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		hidden []string
		rsa    keyring.Operations
	}{
		"no AES":          {[]string{"CKM_AES"}, keyring.RSA2048.Operations()},
		"no AES, no HMAC": {[]string{"CKM_AES", "CKM_SHA256_HMAC", "CKM_SHA384_HMAC", "CKM_SHA512_HMAC"}, keyring.RSA2048.Operations()},
	} {
		t.Run(name, func(t *testing.T) {
			token := hsm.NewOn(poor{b.device, test.hidden})
			c, err := token.Capabilities(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := c.Algorithms[keyring.AES256]; ok || c.Algorithms[keyring.RSA2048] != test.rsa || !c.Attests || c.Enforcement != keyring.EnforcedByHSM {
				t.Errorf("%+v", c)
			}
			for _, a := range []keyring.Algorithm{keyring.RSA2048, keyring.ECP256} {
				o := order("poor", a, a.Operations())
				if _, err := token.Generate(t.Context(), o); err != nil {
					t.Error(err)
				}
				if e, err := token.Permit(t.Context(), o.Ref, keyring.None); err != nil || e != keyring.EnforcedByHSM {
					t.Errorf("%s: %q, %v", a, e, err)
				}
			}
		})
	}
}

// poor is a token that lists less.
type poor struct {
	hsm.Device
	hidden []string
}

func (p poor) Mechanisms(ctx context.Context) (map[uint]cryptoki.MechanismInfo, error) {
	all, err := p.Device.Mechanisms(ctx)
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(code uint, _ cryptoki.MechanismInfo) bool {
		return slices.ContainsFunc(p.hidden, func(prefix string) bool { return strings.HasPrefix(cryptoki.MechanismName(code), prefix) })
	})
	return all, err
}
