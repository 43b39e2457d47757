package tokens_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/tokens"
)

func TestMain(m *testing.M) { os.Exit(tokens.Main(m)) }

// TestProfile holds the probe to what is known of each kind of token, in both
// directions, and sees that it leaves nothing on the token.
func TestProfile(t *testing.T) {
	for _, kind := range tokens.Chosen(t) {
		t.Run(string(kind), func(t *testing.T) {
			token := tokens.New(t, kind)
			device := cryptoki.New(cryptoki.Config{
				ModulePath: token.Module, Parameters: token.Parameters, Select: cryptoki.Selector{Label: token.Label, Serial: token.Serial},
				PIN: func() ([]byte, error) { return []byte(token.PIN), nil },
			})
			defer func() {
				if err := device.Close(); err != nil {
					t.Error(err)
				}
			}()
			found, err := hsm.New(device).Capabilities(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			compare(t, kind.Profile(), found)
			t.Logf("version of the token: %s", version(t, kind, device)) // for the table in the README
			left, err := device.Search(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range left {
				if strings.Contains(string(o.Bytes(cryptoki.CKA_LABEL)), "probe") {
					t.Errorf("the probe left an object of class %d: %q", o.Class, o.Bytes(cryptoki.CKA_LABEL))
				}
			}
		})
	}
}

// version is the module's, or SoftHSM's own where p11-kit stands in between.
func version(t *testing.T, kind tokens.Kind, device *cryptoki.Token) string {
	t.Helper()
	info, err := device.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kind == tokens.SoftHSM || kind == tokens.P11Kit {
		return info.Firmware
	}
	words := strings.Fields(info.Library)
	return words[len(words)-1]
}

func compare(t *testing.T, known tokens.Profile, found keyring.Capabilities) {
	t.Helper()
	for _, a := range keyring.Algorithms() {
		if missing := known.Algorithms[a] &^ found.Algorithms[a]; missing != keyring.None {
			t.Errorf("the probe does not find that an %s key can %s here", a, missing)
		}
		if more := found.Algorithms[a] &^ known.Algorithms[a]; more != keyring.None {
			t.Errorf("the probe finds that an %s key can %s here, which the profile does not know", a, more)
		}
	}
	if found.Enforcement != known.Enforcement || found.Attests != known.Attests ||
		found.RestrictsMechanisms != known.RestrictsMechanisms || found.KeepsRecords != known.KeepsRecords {
		t.Errorf("the probe finds: enforces %s, attests %t, restricts mechanisms %t, keeps records %t; the profile says %s, %t, %t, %t",
			found.Enforcement, found.Attests, found.RestrictsMechanisms, found.KeepsRecords,
			known.Enforcement, known.Attests, known.RestrictsMechanisms, known.KeepsRecords)
	}
}

// TestProfilesAreComplete: every kind has a profile, and says something in it.
func TestProfilesAreComplete(t *testing.T) {
	for _, kind := range tokens.All() {
		if p := kind.Profile(); p.Title == "" || p.Remark == "" || p.Enforcement == "" || len(p.Algorithms) == 0 {
			t.Errorf("the profile of %s is not complete: %+v", kind, p)
		}
	}
	if kinds := tokens.Chosen(t); !slices.Contains(kinds, tokens.SoftHSM) && os.Getenv("HSM_TEST_TOKENS") == "" {
		t.Errorf("without a choice the kinds are %v", kinds)
	}
	t.Log(slices.Sorted(maps.Keys(tokens.SoftHSM.Profile().Algorithms)))
}
