package lifecycle_test

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

func saying(text string) func(*keyring.Version, keyring.Scheme) (lifecycle.Content, error) {
	return func(*keyring.Version, keyring.Scheme) (lifecycle.Content, error) {
		return lifecycle.Content{Message: []byte(text)}, nil
	}
}

// TestSign: the version that may sign does, and after a rotation its successor.
func TestSign(t *testing.T) {
	m := lifecycletest.New(noon)
	s := m.Run()
	spec := keyring.Spec{Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables}
	must[*keyring.Key](t)(s.Create(t.Context(), spec))
	first := must[*lifecycle.Signature](t)(s.Sign(t.Context(), "orders", "", false, saying("m")))
	if first.Version.Number != 1 || first.Scheme != keyring.ES256 || len(first.Bytes) == 0 {
		t.Errorf("%+v", first)
	}
	schedule := rotation.Schedule{RetireAction: keyring.RetireDisables}
	for range 2 { // the first one claims version 1
		if _, _, err := s.Rotate(t.Context(), "orders", schedule); err != nil {
			t.Fatal(err)
		}
	}
	second := must[*lifecycle.Signature](t)(s.Sign(t.Context(), "orders", "", false, func(v *keyring.Version, _ keyring.Scheme) (lifecycle.Content, error) {
		if v.Number != 2 {
			t.Errorf("composed for version %d", v.Number)
		}
		return lifecycle.Content{Message: []byte("m")}, nil
	}))
	if second.Version.Number != 2 || bytes.Equal(first.Bytes, second.Bytes) {
		t.Errorf("%+v", second)
	}

	_, err := s.Sign(t.Context(), "orders", keyring.ES256, true, func(*keyring.Version, keyring.Scheme) (lifecycle.Content, error) {
		return lifecycle.Content{Digest: make([]byte, 20)}, nil
	})
	wantFault(t, err, fault.Invalid, "20 bytes")
	_, err = s.Sign(t.Context(), "orders", keyring.RS256, false, saying("m"))
	wantFault(t, err, fault.Invalid, "does not sign by RS256")
	_, err = s.Sign(t.Context(), "payments", "", false, saying("m"))
	wantFault(t, err, fault.NotFound, "no key of this name")
	_, err = s.Sign(t.Context(), keyring.DerivationKeyName, "", false, saying("m"))
	wantFault(t, err, fault.Invalid, "usable key name")

	spec.Enabled = false
	must[*keyring.Key](t)(s.Update(t.Context(), spec))
	_, err = s.Sign(t.Context(), "orders", "", false, saying("m"))
	wantFault(t, err, fault.Protected, "disabled")
	spec.Enabled, spec.Operations = true, keyring.Verify
	must[*keyring.Key](t)(s.Update(t.Context(), spec))
	_, err = s.Sign(t.Context(), "orders", "", false, saying("m"))
	wantFault(t, err, fault.Invalid, "may verify, not sign")
	if err := s.Release(t.Context(), "orders", 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Destroy(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Sign(t.Context(), "orders", "", false, saying("m"))
	wantFault(t, err, fault.NotFound, "removed")
}

// TestSignReplaced: what is under the CKA_ID now does not sign for the key that was recorded.
func TestSignReplaced(t *testing.T) {
	m := lifecycletest.New(noon)
	s := m.Run()
	spec := keyring.Spec{Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables}
	must[*keyring.Key](t)(s.Create(t.Context(), spec))
	m.ObjectsOf("orders", 1).Secrets = 0
	_, err := m.Run().Sign(t.Context(), "orders", "", false, saying("m"))
	wantFault(t, err, fault.Inconsistent, "no longer on the token")
}

// TestSigning: nothing is signed that was not told of before.
func TestSigning(t *testing.T) {
	m := lifecycletest.New(noon)
	s := m.Run()
	spec := keyring.Spec{Name: "orders", Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Enabled: true, OnDestroy: keyring.DestroyDisables}
	must[*keyring.Key](t)(s.Create(t.Context(), spec))
	var told []lifecycle.Use
	var refusal error
	s.Signing = func(_ context.Context, use lifecycle.Use) error {
		told = append(told, use)
		return refusal
	}
	must[*lifecycle.Signature](t)(s.Sign(t.Context(), "orders", "", false, saying("m")))
	want := lifecycle.Use{Key: "orders", Version: 1, Signing: lifecycle.Signing{Scheme: keyring.ES256, Input: []byte("m")}}
	if len(told) != 1 || !reflect.DeepEqual(told[0], want) {
		t.Errorf("told %+v, want %+v", told, want)
	}
	refusal = &fault.Error{Kind: fault.Inconsistent, Op: "use audit log", Problem: "There is none."}
	made, err := s.Sign(t.Context(), "orders", "", false, saying("m"))
	wantFault(t, err, fault.Inconsistent, "There is none.")
	if made != nil {
		t.Error("it was signed all the same")
	}
}

func TestVersionScheme(t *testing.T) {
	for name, test := range map[string]struct {
		version  keyring.Version
		wanted   keyring.Scheme
		isDigest bool
		want     keyring.Scheme
		says     string
	}{
		"the usual one":              {keyring.Version{Algorithm: keyring.RSA2048}, "", false, keyring.RS256, ""},
		"another one":                {keyring.Version{Algorithm: keyring.RSA2048}, keyring.PS512, true, keyring.PS512, ""},
		"what is allowed":            {keyring.Version{Algorithm: keyring.RSA3072, Mechanisms: []keyring.Mechanism{"CKM_SHA384_RSA_PKCS_PSS"}}, "", false, keyring.PS384, ""},
		"what is not allowed":        {keyring.Version{Algorithm: keyring.RSA3072, Mechanisms: []keyring.Mechanism{"CKM_SHA384_RSA_PKCS_PSS"}}, keyring.RS256, false, "", "do not permit RS256"},
		"no digest is allowed":       {keyring.Version{Algorithm: keyring.RSA3072, Mechanisms: []keyring.Mechanism{"CKM_SHA384_RSA_PKCS_PSS"}}, "", true, "", "permit none"},
		"a digest outside":           {keyring.Version{Algorithm: keyring.ECP256, Mechanisms: []keyring.Mechanism{"CKM_ECDSA"}}, "", false, keyring.ES256, ""},
		"AES":                        {keyring.Version{Algorithm: keyring.AES256}, "", false, "", "no scheme"},
		"a digest by Ed25519":        {keyring.Version{Algorithm: keyring.Ed25519}, "", true, "", "the message itself"},
		"a digest by HMAC":           {keyring.Version{Algorithm: keyring.HMACSHA256}, keyring.HS256, true, "", "the message itself"},
		"a scheme of another family": {keyring.Version{Algorithm: keyring.ECP256}, keyring.EdDSA, false, "", "signs by ES256"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.version.Scheme(test.wanted, test.isDigest)
			if got != test.want {
				t.Errorf("got %q, want %q: %v", got, test.want, err)
			}
			if test.says != "" {
				wantFault(t, err, fault.Invalid, test.says)
			}
		})
	}
}
