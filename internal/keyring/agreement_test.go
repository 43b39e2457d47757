package keyring_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/asn1"
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

var ecAlgorithms = []keyring.Algorithm{keyring.ECP256, keyring.ECP384, keyring.ECP521, keyring.ECSecp256k1}

// TestPointsAt finds keys that openssl made among the two points at their first coordinate.
func TestPointsAt(t *testing.T) {
	for _, a := range ecAlgorithms {
		t.Run(string(a), func(t *testing.T) {
			curve := map[keyring.Algorithm]string{keyring.ECP256: "prime256v1", keyring.ECP384: "secp384r1", keyring.ECP521: "secp521r1", keyring.ECSecp256k1: "secp256k1"}[a]
			signs := map[byte]bool{}
			for range 20 {
				private := openssl(t, nil, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+curve)
				var spki struct {
					Algorithm asn1.RawValue
					Point     asn1.BitString
				}
				if _, err := asn1.Unmarshal(openssl(t, private, "pkey", "-pubout", "-outform", "DER"), &spki); err != nil {
					t.Fatal(err)
				}
				point := spki.Point.Bytes
				signs[point[len(point)-1]&1] = true
				points, err := keyring.PointsAt(a, point[1:(len(point)+1)/2])
				if err != nil || !slices.ContainsFunc(points[:], func(p []byte) bool { return bytes.Equal(p, point) }) || bytes.Equal(points[0], points[1]) {
					t.Errorf("%x is not among %x, %v", point, points, err)
				}
			}
			if len(signs) != 2 {
				t.Error("only one sign came up") // once in a million
			}
		})
	}
}

func TestPointsAtRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		algorithm keyring.Algorithm
		x         []byte
	}{
		"too short":          {keyring.ECP256, make([]byte, 31)},
		"no curve":           {keyring.RSA2048, make([]byte, 32)},
		"no point, NIST":     {keyring.ECP256, bytes.Repeat([]byte{0xff}, 32)},
		"no point, SEC":      {keyring.ECSecp256k1, append(make([]byte, 31), 5)},
		"beyond the modulus": {keyring.ECSecp256k1, bytes.Repeat([]byte{0xff}, 32)},
	} {
		if _, err := keyring.PointsAt(test.algorithm, test.x); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBasePoint makes public keys by agreeing with the base point, as a token would.
func TestBasePoint(t *testing.T) {
	for _, a := range ecAlgorithms {
		if _, err := keyring.NewECPublicKey(a, keyring.BasePoint(a)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for a, curve := range map[keyring.Algorithm]ecdh.Curve{keyring.ECP256: ecdh.P256(), keyring.ECP384: ecdh.P384(), keyring.ECP521: ecdh.P521()} {
		private, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		base, err := curve.NewPublicKey(keyring.BasePoint(a))
		if err != nil {
			t.Fatal(err)
		}
		x, err := private.ECDH(base)
		public := private.PublicKey().Bytes()
		if err != nil || !bytes.Equal(x, public[1:(len(public)+1)/2]) {
			t.Errorf("%s: agreed on %x, %v; the public key is %x", a, x, err, public)
		}
	}
	if keyring.BasePoint(keyring.Ed25519) != nil {
		t.Error("Ed25519 has a base point here")
	}
}
