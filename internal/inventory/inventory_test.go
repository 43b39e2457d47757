package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
)

var noon = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

// sound is the inventory of a key with two versions, the first of them replaced, and of
// a credential.
func sound(t *testing.T) *Inventory {
	t.Helper()
	i := &Inventory{Keys: map[string]*Key{}, Others: map[string]*Record{}}
	k := &Key{Counter: 2, Versions: map[int]*Version{}}
	k.Spec.Enabled = true
	for n, id := range map[int]string{1: "aa", 2: "bb"} {
		v := &Version{Number: n, ActivatedAt: noon}
		v.Ref.ID, v.Ref.Pair = id, true
		k.Versions[n] = v
		i.Objects = append(i.Objects, Object{Class: pkcs11.CKO_PRIVATE_KEY, ID: id, Protects: n == 2}, Object{Class: pkcs11.CKO_PUBLIC_KEY, ID: id, Public: "point of " + id})
	}
	k.Versions[1].DeactivatedAt = noon
	k.Chain = chained("1 generated", "1 activated", "2 generated", "2 activated")
	i.Keys["orders"] = k
	i.Others["credential/bot"] = &Record{Generation: 3, Body: bot(1, "f")}
	return i
}

// chained is a history of things that happened to versions.
func chained(happened ...string) (c chain) {
	var before []byte
	for n, each := range happened {
		version, what, _ := strings.Cut(each, " ")
		before = fmt.Appendf(nil, `{"seq":%d,"what":%q,"version":%s,"prev":%q}`, n+1, what, version, sum(before))
		c.Entries = append(c.Entries, before)
	}
	return c
}

// bot is the body of a credential's record.
func bot(counter int, fingerprint string) json.RawMessage {
	return fmt.Appendf(nil, `{"counter": %d, "versions": {"1": {"fingerprint": %q}}, "chain": {"entries": [%s]}}`, counter, fingerprint, chained("1 issued").Entries[0])
}

func (i *Inventory) without(class uint, id string) {
	i.Objects = slices.DeleteFunc(i.Objects, func(o Object) bool { return o.Class == class && o.ID == id })
}

// The referee has to see each foul.
func TestFouls(t *testing.T) {
	for name, tc := range map[string]struct {
		foul func(i *Inventory)
		want string
	}{
		"none":                    {func(*Inventory) {}, ""},
		"flaw of a record":        {func(i *Inventory) { i.flaw("a wrong checksum") }, "a wrong checksum"},
		"private key gone":        {func(i *Inventory) { i.without(pkcs11.CKO_PRIVATE_KEY, "aa") }, "the id aa is gone"},
		"half a pair":             {func(i *Inventory) { i.without(pkcs11.CKO_PUBLIC_KEY, "bb") }, "1 private or secret and 0 public"},
		"two of one":              {func(i *Inventory) { i.Objects = append(i.Objects, i.Objects[0]) }, "2 private or secret"},
		"object without a record": {func(i *Inventory) { i.Objects = append(i.Objects, Object{ID: "cc"}) }, "no record"},
		"old version signs": {func(i *Inventory) {
			i.Objects[slices.IndexFunc(i.Objects, func(o Object) bool { return o.ID == "aa" })].Protects = true
		}, "lets it protect: true"},
		"another public key":           {func(i *Inventory) { i.Objects[slices.IndexFunc(i.Objects, Object.IsPublic)].Public = "another" }, "is another one"},
		"no active version":            {func(i *Inventory) { i.Keys["orders"].Versions[2].DeactivatedAt = noon }, "0 active versions"},
		"two active versions":          {func(i *Inventory) { i.Keys["orders"].Versions[1].DeactivatedAt = time.Time{} }, "2 active versions"},
		"entry of the history gone":    {func(i *Inventory) { i.Keys["orders"].Chain = chained("1 generated", "1 activated", "2 activated") }, "when version 2 was [generated"},
		"entry of the history cut out": {func(i *Inventory) { c := &i.Keys["orders"].Chain; c.Entries = slices.Delete(c.Entries, 1, 2) }, "is torn"},
		"entry of the history replaced": {func(i *Inventory) {
			i.Keys["orders"].Chain.Entries[1] = []byte(`{"seq":2,"what":"activated","version":1}`)
		}, "is torn"},
		"pending": {func(i *Inventory) { i.Keys["orders"].Versions[2].Pending = true }, "never finished"},
		"open work": {func(i *Inventory) {
			i.Keys["orders"].Work = &struct {
				What string `json:"what"`
			}{"rotate"}
		}, "begun and not finished"},
		"number above the counter": {func(i *Inventory) { i.Keys["orders"].Counter = 1 }, "the counter went from 2 to 1"},
		"record of a key gone":     {func(i *Inventory) { delete(i.Keys, "orders") }, "its record"},
		"record of a version gone": {func(i *Inventory) { delete(i.Keys["orders"].Versions, 1) }, "version 1: its record"},
		"number given twice":       {func(i *Inventory) { i.Keys["orders"].Versions[1].Ref.ID = "dd" }, "it was aa and is dd"},
		"credential's record gone": {func(i *Inventory) { delete(i.Others, "credential/bot") }, "record credential/bot"},
		"older record":             {func(i *Inventory) { i.Others["credential/bot"].Generation = 2 }, "generation 3, now 2"},
		"another fingerprint": {func(i *Inventory) {
			i.Others["credential/bot"].Body = bot(1, "g")
		}, "another one"},
		"credential's counter back": {func(i *Inventory) {
			i.Others["credential/bot"].Body = bot(0, "f")
		}, "counter went from 1 to 0"},
		"removed": {func(i *Inventory) {
			i.Keys["orders"].Tombstone = &struct {
				Action string `json:"action"`
			}{"disable"}
		}, "alive are"},
		"destroyed, with its record saying so": {func(i *Inventory) {
			i.Keys["orders"].Versions[1].DestroyedAt, i.Keys["orders"].Versions[1].RetiredBy = noon, "destroy"
			i.without(pkcs11.CKO_PRIVATE_KEY, "aa")
		}, "it was active, and is destroyed"},
	} {
		t.Run(name, func(t *testing.T) {
			before, i := sound(t), sound(t)
			tc.foul(i)
			seen := slices.Concat(i.Violations(), i.Lost(before), i.Astray(before, sound(t)))
			if tc.want == "" && len(seen) > 0 || !strings.Contains(strings.Join(seen, "\n"), tc.want) {
				t.Errorf("seen was %q, want %q", seen, tc.want)
			}
		})
	}
}

// What a change means to destroy is no foul, nor is a number that a kill has used up.
func TestFair(t *testing.T) {
	before, clean, now := sound(t), sound(t), sound(t)
	for _, i := range []*Inventory{clean, now} {
		v := i.Keys["orders"].Versions[1]
		v.DestroyedAt, v.RetiredBy = noon, "destroy"
		i.without(pkcs11.CKO_PRIVATE_KEY, "aa")
	}
	wreck := sound(t)
	wreck.Keys["orders"].Counter = 3
	wreck.Keys["orders"].Versions[3] = &Version{Number: 3, Pending: true}
	now.Keys["orders"].Counter = 3
	if seen := slices.Concat(now.Violations(), now.Lost(before), now.Lost(wreck), now.Astray(before, clean)); len(seen) > 0 {
		t.Errorf("seen was %q", seen)
	}
	if now.Shape() != clean.Shape() {
		t.Errorf("%s\n%s", now.Shape(), clean.Shape())
	}
}
