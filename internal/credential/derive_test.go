package credential_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// label is the Label of the derivation, as documented.
const label = "keystead/terraform-provider-hsm/api-credential/v1"

// octets are written in hexadecimal.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

func readVectors[T any](t *testing.T, file string) (vectors T) {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile("testdata/" + file))
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// contextOf writes the Context of the derivation down a second time, from its description.
func contextOf(environment, name string, version int, a credential.Algorithm, salt []byte) []byte {
	var b bytes.Buffer
	for _, field := range []string{environment, name, strconv.Itoa(version), string(a), string(salt)} {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(field)))
		b.WriteString(field)
	}
	return b.Bytes()
}

// kbkdf has openssl compute the KDF in Counter Mode.
func kbkdf(t *testing.T, size int, options ...string) []byte {
	t.Helper()
	args := []string{"kdf", "-keylen", strconv.Itoa(size), "-binary", "-kdfopt", "mac:HMAC", "-kdfopt", "digest:SHA256", "-kdfopt", "mode:counter"}
	for _, o := range options {
		args = append(args, "-kdfopt", o)
	}
	return openssl(t, nil, append(args, "KBKDF")...)
}

// TestCounterMode: the KDF is that of SP 800-108, by vectors of NIST. They have no
// Label and Context of their own.
func TestCounterMode(t *testing.T) {
	published := readVectors[struct {
		Vectors []struct {
			Count      int
			Key        octets
			FixedInput octets `json:"fixed_input"`
			Output     octets
		}
	}](t, "sp800_108_counter.json")
	for _, v := range published.Vectors {
		t.Run(strconv.Itoa(v.Count), func(t *testing.T) {
			got := must[[]byte](t)(credential.CounterMode(t.Context(), &root{key: v.Key}, v.FixedInput, len(v.Output)))
			if !bytes.Equal(got, v.Output) {
				t.Errorf("%x, want %x", got, v.Output)
			}
			again := kbkdf(t, len(v.Output), "hexkey:"+hex.EncodeToString(v.Key), "hexinfo:"+hex.EncodeToString(v.FixedInput), "use-l:0", "use-separator:0")
			if !bytes.Equal(again, v.Output) {
				t.Errorf("openssl says %x, want %x", again, v.Output)
			}
		})
	}
	if len(published.Vectors) == 0 {
		t.Error("there are no vectors")
	}
}

// TestDerivation: secrets are those of the documented vectors, and openssl agrees.
func TestDerivation(t *testing.T) {
	vectors := readVectors[[]struct {
		Key               octets
		Environment, Name string
		Version           int
		Algorithm         credential.Algorithm
		Salt, Context     octets
		Secret            octets
		Fingerprint       string
	}](t, "derivation.json")
	seen := map[string]bool{}
	for _, v := range vectors {
		t.Run(string(v.Algorithm)+" "+v.Environment+" "+v.Name, func(t *testing.T) {
			if described := contextOf(v.Environment, v.Name, v.Version, v.Algorithm, v.Salt); !bytes.Equal(described, v.Context) {
				t.Errorf("the context is %x, and described as %x", v.Context, described)
			}
			got := must[[]byte](t)(credential.Derive(t.Context(), &root{key: v.Key}, v.Environment, v.Name, v.Version, v.Algorithm, v.Salt))
			if !bytes.Equal(got, v.Secret) {
				t.Errorf("%x, want %x", got, v.Secret)
			}
			again := kbkdf(t, len(v.Secret), "hexkey:"+hex.EncodeToString(v.Key), "salt:"+label, "hexinfo:"+hex.EncodeToString(v.Context))
			if !bytes.Equal(again, v.Secret) {
				t.Errorf("openssl says %x, want %x", again, v.Secret)
			}
			if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != v.Fingerprint {
				t.Errorf("its fingerprint is %x, want %s", sum, v.Fingerprint)
			}
		})
		seen[string(v.Secret[:32])] = true
	}
	if len(seen) != len(vectors) || len(seen) < 6 {
		t.Errorf("%d vectors have %d secrets", len(vectors), len(seen))
	}
}

// TestDerivedFromRecord: what is recorded of a version, and the key, is all that it takes
// to compute a secret elsewhere.
func TestDerivedFromRecord(t *testing.T) {
	for _, a := range []credential.Algorithm{credential.HMACSHA256, credential.HMACSHA512} {
		t.Run(string(a), func(t *testing.T) {
			b := newBench(t)
			spec := bot()
			spec.Algorithm = a
			v := b.create(spec).Newest()
			salt := must[[]byte](t)(hex.DecodeString(v.Salt))
			value, _, err := b.service().Secret(t.Context(), "bot", 0)
			if err != nil || len(salt) != 16 {
				t.Fatalf("%v; the salt is %x", err, salt)
			}
			want := kbkdf(t, map[credential.Algorithm]int{credential.HMACSHA256: 32, credential.HMACSHA512: 64}[a],
				"hexkey:"+hex.EncodeToString(b.root.key), "salt:"+label, "hexinfo:"+hex.EncodeToString(contextOf("test", "bot", 1, a, salt)))
			if got := value.Reveal(); !bytes.Equal(got, want) {
				t.Errorf("%x, and openssl says %x", got, want)
			}
		})
	}
}

// TestTampered: a secret that is not the one that was issued is not handed out.
func TestTampered(t *testing.T) {
	for name, tamper := range map[string]func(*bench, *credential.Version){
		"another derivation key":      func(b *bench, _ *credential.Version) { b.root.key[0] ^= 1 },
		"another salt":                func(_ *bench, v *credential.Version) { v.Salt = strings.Repeat("00", 16) },
		"no salt":                     func(_ *bench, v *credential.Version) { v.Salt = "" },
		"a salt that is none":         func(_ *bench, v *credential.Version) { v.Salt = "salt" },
		"another fingerprint":         func(_ *bench, v *credential.Version) { v.Fingerprint = strings.Repeat("0", 64) },
		"no fingerprint":              func(_ *bench, v *credential.Version) { v.Fingerprint = "" },
		"another algorithm":           func(_ *bench, v *credential.Version) { v.Algorithm = credential.HMACSHA512 },
		"an algorithm without secret": func(_ *bench, v *credential.Version) { v.Algorithm = credential.Ed25519 },
		"another root":                func(_ *bench, v *credential.Version) { v.Root = 2 },
		"another number":              func(_ *bench, v *credential.Version) { v.Number = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.create(bot())
			tamper(b, b.store.Stored["bot"].Body.Versions[1])
			value, v, err := b.service().Secret(t.Context(), "bot", 1)
			wantFault(t, err, fault.Inconsistent, "", "")
			if !value.IsEmpty() || v != nil {
				t.Errorf("there is a secret for %+v nevertheless", v)
			}
			spec := bot()
			spec.Recipients = []string{newIdentity(t).Recipient().String()}
			if c, err := b.service().Update(t.Context(), spec, false); !fault.Is(err, fault.Inconsistent) && (err != nil || c.Sealed.Version == 1) {
				t.Errorf("it is sealed nevertheless: %v", err)
			}
		})
	}
}

// TestSecretsDiffer: no two versions have the same secret, not even one that comes back
// after its record was lost.
func TestSecretsDiffer(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	secrets := [][]byte{b.secret("bot", 0)}
	spec := bot()
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	b.update(spec, true)
	secrets = append(secrets, b.secret("bot", 0))
	clear(b.store.Stored)
	b.create(bot())
	secrets = append(secrets, b.secret("bot", 0))
	if bytes.Equal(secrets[0], secrets[1]) || bytes.Equal(secrets[0], secrets[2]) || bytes.Equal(secrets[1], secrets[2]) {
		t.Error("two versions have one secret")
	}
}
