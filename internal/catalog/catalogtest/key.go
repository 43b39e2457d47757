package catalogtest

import (
	"fmt"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Key is a body for [Suite].
func Key(name string, n int) *keyring.Key {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	v := &keyring.Version{
		Number: n, Algorithm: keyring.ECP256, Ref: keyring.Ref{ID: fmt.Sprintf("%032x", n), Label: name, Pair: true}, PublicKey: keyring.PublicKey{1, 2, 3},
		Fingerprint: "<&>", Birth: keyring.Birth{Local: true, Attested: true}, CreatedAt: at, ActivatedAt: at,
	}
	k := &keyring.Key{
		Spec: keyring.Spec{
			Name: name, Algorithm: keyring.ECP256, Operations: keyring.Sign | keyring.Verify, Tags: map[string]string{"k": "v"}, Enabled: true,
			AllowedMechanisms: []keyring.Mechanism{"CKM_ECDSA"}, OnDestroy: keyring.DestroyDisables,
		},
		CreatedAt: at, Counter: n, Versions: map[int]*keyring.Version{n: v},
		Work: &keyring.Work{What: "create", Versions: []int{n}, Run: "r", Host: "h", PID: 7, Since: at},
	}
	for i := range 40 { // so many that there is something of everything in a history
		k.Note(history.Entry{At: at.Add(time.Duration(i)), What: history.Generated, Version: i, Actor: "somebody", Reason: "because \u2028 of <this> \xff", Digest: "<&>"})
	}
	v.Earlier = []keyring.Transition{{At: at, What: "generated", Actor: "somebody", Reason: "<&>"}}
	return k
}

// SpoilKey is for [Suite].
func SpoilKey(k *keyring.Key) {
	k.Spec.Name, k.Spec.Tags["k"] = "spoilt", "spoilt"
	for _, v := range k.Versions {
		v.Fingerprint, v.Earlier[0].Reason = "spoilt", "spoilt"
	}
	k.Chain.Entries[0].Reason, k.Chain.Compacted.Kept[0].Reason, k.Chain.Compacted.Head = "spoilt", "spoilt", "spoilt"
}
