package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// application is the CKA_APPLICATION of the provider's records.
const application = "terraform-provider-hsm"

type data struct {
	label string
	value []byte
}

// Record is the envelope of a record, and of its body what credentials and policies have.
type Record struct {
	Kind       string          `json:"kind"`
	Name       string          `json:"name"`
	Generation int             `json:"generation"`
	Write      string          `json:"write"`
	Body       json.RawMessage `json:"body"`
	Sum        string          `json:"sum"`
}

// body is what credentials and policies have in common with each other.
type body struct {
	Counter  int `json:"counter"`
	Versions map[int]struct {
		Fingerprint string `json:"fingerprint"`
	} `json:"versions"`
	Tombstone *struct{} `json:"tombstone"`
	Chain     chain     `json:"chain"`
}

// body reads the body. One that cannot be read shows when the provider reads it.
func (r *Record) body() (b body) {
	_ = json.Unmarshal(r.Body, &b)
	return b
}

// Key is the body of a key's record.
type Key struct {
	Spec struct {
		Enabled bool `json:"enabled"`
	} `json:"spec"`
	Counter   int              `json:"counter"`
	Versions  map[int]*Version `json:"versions"`
	Tombstone *struct {
		Action string `json:"action"`
	} `json:"tombstone"`
	Work *struct {
		What string `json:"what"`
	} `json:"work"`
	Chain chain `json:"chain"`
}

// Version is one of a key's versions.
type Version struct {
	Number int `json:"number"`
	Ref    struct {
		ID   string `json:"id"`
		Pair bool   `json:"pair"`
	} `json:"ref"`
	Pending       bool      `json:"pending"`
	ActivatedAt   time.Time `json:"activated_at"`
	DeactivatedAt time.Time `json:"deactivated_at"`
	RevokedAt     time.Time `json:"revoked_at"`
	DestroyedAt   time.Time `json:"destroyed_at"`
	RetiredBy     string    `json:"retired_by"`
}

// Protects reports whether the version is the one that signs or encrypts.
func (k *Key) Protects(v *Version) bool {
	return k.Spec.Enabled && k.Tombstone == nil && !v.Pending && !v.ActivatedAt.IsZero() &&
		v.DeactivatedAt.IsZero() && v.RevokedAt.IsZero() && v.DestroyedAt.IsZero()
}

func (i *Inventory) flaw(format string, args ...any) {
	i.flaws = append(i.flaws, fmt.Sprintf(format, args...))
}

// sumPattern finds the checksum, which is the last member and computed without itself.
var sumPattern = regexp.MustCompile(`"sum":"[0-9a-f]{64}"}$`)

// decode keeps the newest record of each label. What is older, or was cut off while it
// was written, is left for the next write to remove; a record that is not in dispute has
// one object of the highest generation.
func (i *Inventory) decode(values []data) {
	newest := map[string]*Record{}
	cut := map[string]int{}
	for _, d := range values {
		r := &Record{}
		if json.Unmarshal(d.value, r) != nil {
			cut[d.label]++
			i.Leftovers = append(i.Leftovers, d.label)
			continue
		}
		unsummed := sumPattern.ReplaceAll(d.value, []byte(`"sum":""}`))
		if sum := sha256.Sum256(unsummed); hex.EncodeToString(sum[:]) != r.Sum {
			i.flaw("the record %s has a wrong checksum", d.label)
		}
		there := newest[d.label]
		switch {
		case there == nil:
			newest[d.label] = r
		case there.Generation < r.Generation:
			newest[d.label] = r
			i.Leftovers = append(i.Leftovers, d.label)
		case there.Generation > r.Generation:
			i.Leftovers = append(i.Leftovers, d.label)
		case there.Write != r.Write:
			i.flaw("the record %s is there twice in generation %d", d.label, r.Generation)
		}
	}
	for label := range cut {
		if newest[label] == nil {
			i.flaw("of the record %s there is nothing but remains", label)
		}
	}
	for label, r := range newest {
		name, isKey := strings.CutPrefix(label, "key/")
		if !isKey {
			i.Others[label] = r
			continue
		}
		k := &Key{}
		if err := json.Unmarshal(r.Body, k); err != nil {
			i.flaw("the record %s cannot be read: %v", label, err)
			continue
		}
		i.Keys[name] = k
	}
}
