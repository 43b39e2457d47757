// Package inventory reads all that is on a token and says what is wrong with it as a
// whole, for tests. It is written against the PKCS#11 binding and the stored format
// alone, so that it shares no mistake with the code that it checks.
package inventory

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
)

// Inventory is what was on a token at one moment.
type Inventory struct {
	Objects []Object
	Keys    map[string]*Key    // by name
	Others  map[string]*Record // the newest record of each other label, "credential/bot"
	// Leftovers are the labels of records that newer ones have replaced, and of remains.
	Leftovers []string
	flaws     []string // of the records themselves
}

// Object is a secret, private or public key.
type Object struct {
	Class     uint   // CKO_…
	ID, Label string // the id in hexadecimal
	Protects  bool   // it may sign, encrypt or wrap
	Public    string // the point or modulus of a public key, in hexadecimal
}

// IsPublic reports whether it is the public half of a pair.
func (o Object) IsPublic() bool { return o.Class == pkcs11.CKO_PUBLIC_KEY }

// Read takes the inventory of the token with a serial number, through a module that is
// not in use in this process.
func Read(tb testing.TB, module, serial, pin string) *Inventory {
	tb.Helper()
	ctx := pkcs11.New(module)
	if ctx == nil {
		tb.Fatalf("%s is no PKCS#11 module", module)
	}
	defer ctx.Destroy()
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("taking the inventory: %v", err)
		}
	}
	check(ctx.Initialize())
	defer func() { _ = ctx.Finalize() }()
	slots, err := ctx.GetSlotList(true)
	check(err)
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		check(err)
		if info.SerialNumber != serial {
			continue
		}
		session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		check(err)
		check(ctx.Login(session, pkcs11.CKU_USER, pin))
		i := &Inventory{Keys: map[string]*Key{}, Others: map[string]*Record{}}
		check(i.read(ctx, session))
		return i
	}
	tb.Fatalf("taking the inventory: there is no token with the serial number %q", serial)
	return nil
}

func (i *Inventory) read(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) error {
	if err := ctx.FindObjectsInit(session, nil); err != nil {
		return err
	}
	var handles []pkcs11.ObjectHandle
	for {
		some, _, err := ctx.FindObjects(session, 1000)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			break
		}
		handles = append(handles, some...)
	}
	if err := ctx.FindObjectsFinal(session); err != nil {
		return err
	}
	var values []data
	for _, handle := range handles {
		// One at a time: an attribute that an object lacks fails the whole call.
		get := func(attribute uint) []byte {
			got, err := ctx.GetAttributeValue(session, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
			if err != nil || len(got) != 1 {
				return nil
			}
			return got[0].Value
		}
		is := func(attribute uint) bool { v := get(attribute); return len(v) == 1 && v[0] == 1 }
		switch class := number(get(pkcs11.CKA_CLASS)); class {
		case pkcs11.CKO_DATA:
			if string(get(pkcs11.CKA_APPLICATION)) == application {
				values = append(values, data{label: string(get(pkcs11.CKA_LABEL)), value: get(pkcs11.CKA_VALUE)})
			}
		case pkcs11.CKO_SECRET_KEY, pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY:
			o := Object{
				Class: class, ID: hex.EncodeToString(get(pkcs11.CKA_ID)), Label: string(get(pkcs11.CKA_LABEL)),
				Protects: is(pkcs11.CKA_SIGN) || is(pkcs11.CKA_ENCRYPT) || is(pkcs11.CKA_WRAP),
			}
			if o.IsPublic() {
				o.Public = hex.EncodeToString(slices.Concat(get(pkcs11.CKA_EC_POINT), get(pkcs11.CKA_MODULUS)))
			}
			i.Objects = append(i.Objects, o)
		default:
			i.flaw("an object has the class %d and the label %q", class, get(pkcs11.CKA_LABEL))
		}
	}
	i.decode(values)
	return nil
}

// Secrets lists the ids of all private and secret keys, one for each object, sorted.
func (i *Inventory) Secrets() (ids []string) {
	for _, o := range i.Objects {
		if !o.IsPublic() {
			ids = append(ids, o.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// publics holds the public keys by id.
func (i *Inventory) publics() map[string]string {
	all := map[string]string{}
	for _, o := range i.Objects {
		if o.IsPublic() {
			all[o.ID] = o.Public
		}
	}
	return all
}

// living lists the labels of what was not removed.
func (i *Inventory) living() (labels []string) {
	for name := range i.Keys {
		labels = append(labels, "key/"+name)
	}
	labels = slices.AppendSeq(labels, maps.Keys(i.Others))
	labels = slices.DeleteFunc(labels, func(label string) bool { return !i.Lives(label) })
	slices.Sort(labels)
	return labels
}

// Lives reports whether there is a record of a label, and of something that was not
// removed.
func (i *Inventory) Lives(label string) bool {
	if name, isKey := strings.CutPrefix(label, "key/"); isKey {
		return i.Keys[name] != nil && i.Keys[name].Tombstone == nil
	}
	return i.Others[label] != nil && i.Others[label].body().Tombstone == nil
}

// number reads a CK_ULONG of whatever size, in this machine's order.
func number(raw []byte) uint {
	if len(raw) == 0 {
		return ^uint(0)
	}
	var n uint
	for _, octet := range slices.Backward(raw) {
		n = n<<8 | uint(octet)
	}
	return n
}
