package notation_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/notation"
)

// The vectors of Bitcoin Core (base58_encode_decode.json), and Solana's native programs.
func TestBase58(t *testing.T) {
	for octets, want := range map[string]string{
		"":       "",
		"61":     "2g",
		"626262": "a3gV",
		"73696d706c792061206c6f6e6720737472696e67":           "2cFupjhnEsSn59qHXstmK2ffpLv2",
		"00eb15231dfceb60925886b67d065299925915aeb172c06647": "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L",
		"516b6fcd0f":             "ABnLTmg",
		"bf4f89001e670274dd":     "3SEo3LWLoPntC",
		"ecac89cad93923c02321":   "EJDM8drfXA6uyA",
		"10c8511e":               "Rt5zm",
		"00000000000000000000":   "1111111111",
		strings.Repeat("00", 32): "11111111111111111111111111111111", // the system program
		"06a7d517192c568ee08a845f73d29788cf035c3145b21ab344d8062ea9400000": "SysvarRecentB1ockHashes11111111111111111111",
	} {
		raw, err := hex.DecodeString(octets)
		if err != nil {
			t.Fatal(err)
		}
		if got := notation.Base58(raw); got != want {
			t.Errorf("%s is %s, want %s", octets, got, want)
		}
	}
}

// The valid strings of BIP-173: what comes before the checksum gives the checksum.
func TestBech32(t *testing.T) {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	for _, text := range []string{
		"A12UEL5L",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
		"11" + strings.Repeat("q", 82) + "c8247j",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
		"?1ezyfcl",
	} {
		text = strings.ToLower(text)
		separator := strings.LastIndex(text, "1")
		var values []byte
		for _, c := range text[separator+1 : len(text)-6] {
			values = append(values, byte(strings.IndexRune(alphabet, c)))
		}
		if got := notation.Bech32(text[:separator], values); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

// The list of EIP-55.
func TestChecksum(t *testing.T) {
	for _, want := range []string{
		"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		raw, err := hex.DecodeString(want[2:])
		if err != nil {
			t.Fatal(err)
		}
		if got := notation.Checksummed(raw); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
