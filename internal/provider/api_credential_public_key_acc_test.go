package provider_test

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

// opensslKey is a private key that openssl has made.
type opensslKey struct {
	t                 *testing.T
	file              string
	public            string // PEM
	isEdwards, isLowS bool
}

func newOpenSSLKey(t *testing.T, algorithm ...string) *opensslKey {
	t.Helper()
	k := &opensslKey{t: t, file: filepath.Join(t.TempDir(), "key.pem"), isEdwards: len(algorithm) == 2, isLowS: strings.Contains(strings.Join(algorithm, " "), "secp256k1")}
	k.run(append([]string{"genpkey", "-out", k.file}, algorithm...)...)
	k.public = string(k.run("pkey", "-in", k.file, "-pubout"))
	return k
}

func (k *opensslKey) run(args ...string) []byte {
	k.t.Helper()
	var said bytes.Buffer
	command := exec.CommandContext(k.t.Context(), "openssl", args...)
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		k.t.Fatalf("openssl %s: %v\n%s", args[0], err, &said)
	}
	return out
}

// secp256k1Order is n of SEC 2 section 2.4.1.
const secp256k1Order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

// sign has openssl sign the request, and brings ECDSA's result into the form that the
// verifier takes.
func (k *opensslKey) sign() ([]byte, error) {
	file := filepath.Join(k.t.TempDir(), "request")
	if err := os.WriteFile(file, request, 0o600); err != nil {
		return nil, err
	}
	if k.isEdwards {
		return k.run("pkeyutl", "-sign", "-rawin", "-inkey", k.file, "-in", file), nil
	}
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(k.run("dgst", "-sha256", "-sign", k.file, file), &numbers); err != nil {
		return nil, err
	}
	if n, _ := new(big.Int).SetString(secp256k1Order, 16); k.isLowS && numbers.S.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		numbers.S.Sub(n, numbers.S)
	}
	return append(numbers.R.FillBytes(make([]byte, 32)), numbers.S.FillBytes(make([]byte, 32))...), nil
}

// People keep their private keys; what they sign with openssl is accepted.
func TestAccPublicKey(t *testing.T) {
	a := newAcceptance(t)
	keys := []*opensslKey{
		newOpenSSLKey(t, "-algorithm", "ed25519"),
		newOpenSSLKey(t, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
		newOpenSSLKey(t, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
	}
	algorithms := []string{"ed25519", "ecdsa-p256", "ecdsa-secp256k1"}
	config := func(key *opensslKey, arguments ...string) string {
		return a.with(fmt.Sprintf("resource \"hsm_api_credential\" \"ada\" {\n  name = \"ada\"\n  owner = \"ada\"\n  type = \"public_key\"\n  overlap = \"1h\"\n  public_key = <<-EOT\n%sEOT\n  %s\n}\n",
			key.public, strings.Join(arguments, "\n  ")))
	}
	const ada = "hsm_api_credential.ada"
	var steps []resource.TestStep
	var before *opensslKey
	for i, key := range keys {
		checks := []resource.TestCheckFunc{a.verifies(fmt.Sprintf("test~ada~%d", i+1), key.sign, "")}
		if before != nil {
			id := fmt.Sprintf("test~ada~%d", i)
			checks = append(checks, a.verifies(id, before.sign, ""), a.verifies(id, key.sign, credential.BadSignature))
		}
		before = key
		steps = append(steps, resource.TestStep{
			Config: config(key), Check: resource.ComposeTestCheckFunc(checks...),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue(ada, tfjsonpath.New("versions").AtMapKey(fmt.Sprint(i+1)).AtMapKey("algorithm"), knownvalue.StringExact(algorithms[i])),
			},
		})
	}
	a.test(append(steps,
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "ada", ImportStateVerify: true},
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "ada", ImportStateKind: resource.ImportBlockWithID},
		resource.TestStep{ResourceName: ada, ImportState: true, ImportStateId: "nobody", ExpectError: regexp.MustCompile(`not found`)},
		resource.TestStep{
			Config: config(keys[2], `revoke = { "3" = "key_compromise" }`),
			Check:  resource.ComposeTestCheckFunc(a.verifies("test~ada~3", keys[2].sign, credential.IsRevoked), a.verifies("test~ada~2", keys[1].sign, "")),
		},
		resource.TestStep{
			PreConfig: a.pass(time.Hour), Config: config(keys[0], `revoke = { "3" = "key_compromise" }`),
			Check: resource.ComposeTestCheckFunc(a.verifies("test~ada~4", keys[0].sign, ""), a.verifies("test~ada~2", keys[1].sign, credential.IsSuperseded)),
		},
		resource.TestStep{
			Config: config(keys[0], `expires_at = "2027-01-01T00:30:00Z"`), ExpectError: regexp.MustCompile(`(?s)expires_at.*would have expired`),
		},
	)...)
}
