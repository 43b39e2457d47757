package notation_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/notation"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// onSecp256k1 reads a public key in the short or the long form.
func onSecp256k1(t *testing.T, point string) keyring.PublicKey {
	t.Helper()
	parsed, err := secp256k1.ParsePubKey(unhex(t, point))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyring.NewECPublicKey(keyring.ECSecp256k1, parsed.SerializeUncompressed())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func onEd25519(t *testing.T, point string) keyring.PublicKey {
	t.Helper()
	key, err := keyring.NewEdwardsPublicKey(keyring.Ed25519, unhex(t, point))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const basePoint = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" // SEC 2 section 2.4.1

func TestBitcoinAddress(t *testing.T) {
	for name, test := range map[string]struct{ point, network, want string }{
		"BIP-173, main":                    {basePoint, "main", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
		"BIP-173, test":                    {basePoint, "test", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"},
		"BIP-84, first receiving address":  {"0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c", "main", "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"},
		"BIP-84, second receiving address": {"03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77", "main", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notation.BitcoinAddress(onSecp256k1(t, test.point), test.network)
			if err != nil || got != test.want {
				t.Errorf("got %s, want %s: %v", got, test.want, err)
			}
		})
	}
}

func TestEthereumAddress(t *testing.T) {
	private := secp256k1.PrivKeyFromBytes(unhex(t, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
	for name, test := range map[string]struct{ point, want string }{
		"base point":               {basePoint, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"},
		"first account of Hardhat": {hex.EncodeToString(private.PubKey().SerializeCompressed()), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notation.EthereumAddress(onSecp256k1(t, test.point))
			if err != nil || got != test.want {
				t.Errorf("got %s, want %s: %v", got, test.want, err)
			}
		})
	}
}

func TestSolanaAddress(t *testing.T) {
	for name, test := range map[string]struct{ point, want string }{
		"Solana cookbook, restoring a keypair": {
			"0fb9ba52b1f09445f1e3a7508d59f0797923acf744fbe2da303fb06da859ee87", "24PNhTaNtomHhoy3fTRaMhAFCRj4uHqhZEEoWrKDbR5p",
		},
		"token program": {"06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notation.SolanaAddress(onEd25519(t, test.point))
			if err != nil || got != test.want {
				t.Errorf("got %s, want %s: %v", got, test.want, err)
			}
		})
	}
}

func TestAddressRefusals(t *testing.T) {
	chain, edwards := onSecp256k1(t, basePoint), onEd25519(t, strings.Repeat("00", 32))
	for name, test := range map[string]struct {
		make func() (string, error)
		says string
	}{
		"Bitcoin of Ed25519":     {func() (string, error) { return notation.BitcoinAddress(edwards, "main") }, "EC_SECP256K1"},
		"Bitcoin, other network": {func() (string, error) { return notation.BitcoinAddress(chain, "testnet") }, "no such network"},
		"Ethereum of Ed25519":    {func() (string, error) { return notation.EthereumAddress(edwards) }, "EC_SECP256K1"},
		"Solana of secp256k1":    {func() (string, error) { return notation.SolanaAddress(chain) }, "ED25519"},
		"no key":                 {func() (string, error) { return notation.EthereumAddress(nil) }, "SubjectPublicKeyInfo"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.make()
			if got != "" || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
