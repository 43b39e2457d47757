package token_test

import (
	"context"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/catalog/token"
	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
)

// shelf is a Store in memory, for what is quicker without a token. All of its objects
// are records of this package.
type shelf struct{ objects []cryptoki.Object }

var _ token.Store = (*shelf)(nil)

// put adds a record, whole or not.
func (s *shelf) put(label string, value []byte) {
	s.objects = append(s.objects, cryptoki.Object{
		Handle: cryptoki.Handle(len(s.objects) + 1), Class: cryptoki.CKO_DATA,
		Attrs: map[uint][]byte{
			cryptoki.CKA_APPLICATION: []byte("terraform-provider-hsm"), cryptoki.CKA_LABEL: []byte(label), cryptoki.CKA_VALUE: value,
		},
	})
}

func (s *shelf) labelled(label []byte) []cryptoki.Object {
	var some []cryptoki.Object
	for _, o := range s.objects {
		if string(o.Bytes(cryptoki.CKA_LABEL)) == string(label) {
			some = append(some, o)
		}
	}
	return some
}

func (s *shelf) Objects(context.Context) ([]cryptoki.Object, error) {
	return slices.Clone(s.objects), nil
}

func (s *shelf) Lookup(_ context.Context, _ uint, label []byte) ([]cryptoki.Object, error) {
	return s.labelled(label), nil
}

func (s *shelf) Search(_ context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error) {
	for _, a := range template {
		if a.Type == cryptoki.CKA_LABEL {
			return s.labelled(a.Value), nil
		}
	}
	return nil, nil
}

func (s *shelf) Survey(context.Context, []cryptoki.Attribute) error { return nil }

func (s *shelf) ConfirmAbsent(context.Context, []cryptoki.Attribute) error { return nil }

func (s *shelf) CreateObject(_ context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	var label, value []byte
	for _, a := range attrs {
		switch a.Type {
		case cryptoki.CKA_LABEL:
			label = a.Value
		case cryptoki.CKA_VALUE:
			value = a.Value
		}
	}
	s.put(string(label), value)
	return s.objects[len(s.objects)-1], nil
}

func (s *shelf) DestroyObject(_ context.Context, h cryptoki.Handle) error {
	s.objects = slices.DeleteFunc(s.objects, func(o cryptoki.Object) bool { return o.Handle == h })
	return nil
}

func (s *shelf) KeepsData(context.Context) (bool, error) { return true, nil }
