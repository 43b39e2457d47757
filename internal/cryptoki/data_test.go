package cryptoki_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/softhsm"
)

// objects is a driver whose object functions can be replaced.
type objects struct {
	cryptoki.Driver
	create func(attrs []cryptoki.Attribute) error                   // before CreateObject
	made   func(object uint) uint                                   // what CreateObject returns
	find   func(found []uint, template []cryptoki.Attribute) []uint // what FindObjects returns
}

func (o *objects) on(c cryptoki.Config) cryptoki.Config {
	return c.WithDriver(func(path string) (cryptoki.Driver, error) {
		d, err := cryptoki.OpenModule(path)
		o.Driver = d
		return o, err
	})
}

func (o *objects) CreateObject(session uint, attrs []cryptoki.Attribute) (uint, error) {
	if o.create != nil {
		if err := o.create(attrs); err != nil {
			return 0, err
		}
	}
	object, err := o.Driver.CreateObject(session, attrs)
	if err == nil && o.made != nil {
		object = o.made(object)
	}
	return object, err
}

func (o *objects) FindObjects(session uint, template []cryptoki.Attribute) ([]uint, error) {
	found, err := o.Driver.FindObjects(session, template)
	if err == nil && o.find != nil {
		found = o.find(found, template)
	}
	return found, err
}

func dataObject(label string) []cryptoki.Attribute {
	return []cryptoki.Attribute{
		cryptoki.Ulong(cryptoki.CKA_CLASS, cryptoki.CKO_DATA), cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label)),
		cryptoki.Bool(cryptoki.CKA_TOKEN, true), cryptoki.Bool(cryptoki.CKA_PRIVATE, true), cryptoki.Bytes(cryptoki.CKA_VALUE, []byte(label)),
	}
}

func isTokenObject(attrs []cryptoki.Attribute) bool {
	return slices.ContainsFunc(attrs, func(a cryptoki.Attribute) bool { return a.Type == cryptoki.CKA_TOKEN && a.Bool() })
}

// TestKeepsData: whether data objects are taken is found out by trying, once, and
// nothing is left of the trial.
func TestKeepsData(t *testing.T) {
	no := cryptoki.Returns("C_CreateObject", cryptoki.CKR_ATTRIBUTE_VALUE_INVALID)
	for name, tc := range map[string]struct {
		create func(attrs []cryptoki.Attribute) error
		keeps  bool
		fails  fault.Kind
		tries  int
	}{
		"yes": {func([]cryptoki.Attribute) error { return nil }, true, 0, 1},
		"only such as stay": {func(attrs []cryptoki.Attribute) error {
			if !isTokenObject(attrs) {
				return no
			}
			return nil
		}, true, 0, 2},
		"no":        {func([]cryptoki.Attribute) error { return no }, false, 0, 2},
		"not asked": {func([]cryptoki.Attribute) error { return cryptoki.Returns("C_CreateObject", cryptoki.CKR_DEVICE_ERROR) }, false, fault.Unavailable, 2},
		"no room": {func([]cryptoki.Attribute) error {
			return cryptoki.Returns("C_CreateObject", cryptoki.CKR_DEVICE_MEMORY)
		}, false, fault.Exhausted, 2},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			driver := &objects{create: func(attrs []cryptoki.Attribute) error { tries++; return tc.create(attrs) }}
			token := open(t, driver.on(config(softhsm.New(t, "data"))))
			for range 2 {
				keeps, err := token.KeepsData(t.Context())
				if keeps != tc.keeps || (err != nil) != (tc.fails != 0) || err != nil && !fault.Is(err, tc.fails) {
					t.Errorf("%t, %v", keeps, err)
				}
			}
			if tries != tc.tries {
				t.Errorf("it was tried %d times", tries)
			}
			if left, err := token.Search(t.Context(), nil); err != nil || len(left) > 0 {
				t.Errorf("left are %v, %v", left, err)
			}
		})
	}
}

// TestKeepsDataAlready: an object that is there answers it, and one that a killed run
// left of a trial is removed.
func TestKeepsDataAlready(t *testing.T) {
	driver := &objects{}
	token := open(t, driver.on(config(softhsm.New(t, "data"))))
	for _, label := range []string{"terraform-provider-hsm probe", "record"} {
		if _, err := token.CreateObject(t.Context(), dataObject(label)); err != nil {
			t.Fatal(err)
		}
	}
	driver.create = func([]cryptoki.Attribute) error { t.Error("it was tried"); return nil }
	if keeps, err := token.KeepsData(t.Context()); err != nil || !keeps {
		t.Errorf("%t, %v", keeps, err)
	}
}

// TestHandleGivenTwice: what tpm2-pkcs11 does once the first of its objects was destroyed.
// Nothing is done by such a handle, and the module is started again.
func TestHandleGivenTwice(t *testing.T) {
	driver := &objects{}
	token := open(t, driver.on(config(softhsm.New(t, "twice"))))
	first, err := token.CreateObject(t.Context(), dataObject("first"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := driver.Driver.FindObjects(1, nil)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	driver.made = func(uint) uint { return all[0] }
	driver.find = func(found []uint, template []cryptoki.Attribute) []uint {
		if len(template) == 0 {
			return []uint{all[0], all[0]}
		}
		return found
	}
	if _, err := token.CreateObject(t.Context(), dataObject("second")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("%v", err)
	}
	driver.made, driver.find = nil, nil
	if err := token.DestroyObject(t.Context(), first.Handle); err == nil {
		t.Error("a handle outlived the module's restart")
	}
	for _, label := range []string{"first", "second"} {
		if found, err := token.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bytes(cryptoki.CKA_LABEL, []byte(label))}); err != nil || len(found) != 1 {
			t.Errorf("of %s there are %v, %v", label, found, err)
		}
	}
}

// TestHandleUsedAgain: another process destroyed the object, and the module gives its
// handle to the next one.
func TestHandleUsedAgain(t *testing.T) {
	driver := &objects{}
	token := open(t, driver.on(config(softhsm.New(t, "again"))))
	old, err := token.CreateObject(t.Context(), dataObject("old"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := driver.Driver.FindObjects(1, nil)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	driver.made = func(uint) uint { return all[0] }
	fresh, err := token.CreateObject(t.Context(), dataObject("new"))
	if err != nil || fresh.Handle == old.Handle {
		t.Errorf("%v, %v", fresh, err)
	}
	if err := token.DestroyObject(t.Context(), old.Handle); err == nil {
		t.Error("the handle of the old object denotes the new one")
	}
}

func TestAlone(t *testing.T) {
	token := open(t, config(softhsm.New(t, "alone")))
	done := make(chan error, 1)
	err := token.Alone(t.Context(), func(ctx context.Context) error {
		go func() {
			_, err := token.CreateObject(t.Context(), dataObject("other"))
			done <- err
		}()
		select {
		case err := <-done:
			t.Errorf("another operation came in between: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		return token.Alone(ctx, func(ctx context.Context) error {
			_, err := token.CreateObject(ctx, dataObject("mine"))
			return err
		})
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestParameters: a module is initialised once, so all have to agree on how.
func TestParameters(t *testing.T) {
	c := config(softhsm.New(t, "parameters"))
	one := open(t, c)
	if _, err := one.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Parameters = "configdir='/elsewhere'"
	if _, err := open(t, c).Info(t.Context()); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}
