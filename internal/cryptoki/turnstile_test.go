package cryptoki_test

import (
	"fmt"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// TestNotBlindedByWriting: what another process made just before a write of ours shows
// afterwards. On SoftHSM it does not by itself.
func TestNotBlindedByWriting(t *testing.T) {
	soft := softhsm.New(t, "shared")
	remote, _ := soft.Serve(t)
	ours, theirs := open(t, config(soft)), open(t, config(remote)) // in a process of its own
	data := func(label string) []cryptoki.Attribute {
		return []cryptoki.Attribute{
			cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA), cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true),
			cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)),
		}
	}
	for round := range 5 {
		label := fmt.Sprintf("theirs %d", round)
		for _, each := range []struct {
			token *cryptoki.Token
			label string
		}{{theirs, label}, {ours, fmt.Sprintf("ours %d", round)}} {
			if _, err := each.token.CreateObject(t.Context(), data(each.label)); err != nil {
				t.Fatal(err)
			}
		}
		found, err := ours.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label))})
		if err != nil || len(found) != 1 {
			t.Errorf("round %d: %d objects are seen of the one that the other process made: %v", round, len(found), err)
		}
	}
}
