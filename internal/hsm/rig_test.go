package hsm_test

import (
	"context"
	"maps"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
)

// rig stands between the package and a real token and makes single calls fail,
// before the token has seen them or after it has carried them out.
type rig struct {
	hsm.Device
	before, after func(call string) error
	edit          func(*cryptoki.Object)                          // changes what is read of an object
	made          func(call string, b []byte)                     // changes a result
	attributes    func([]cryptoki.Attribute) []cryptoki.Attribute // changes a template
	profile       *cryptoki.Profile
	calls         map[string]int
}

func (r *rig) begin(call string) error {
	if r.calls == nil {
		r.calls = map[string]int{}
	}
	r.calls[call]++
	if r.before != nil {
		return r.before(call)
	}
	return nil
}

func (r *rig) end(call string, err error) error {
	if err == nil && r.after != nil {
		return r.after(call)
	}
	return err
}

func (r *rig) template(list []cryptoki.Attribute) []cryptoki.Attribute {
	if r.attributes != nil {
		return r.attributes(list)
	}
	return list
}

// seen returns a changed copy: what cryptoki hands out belongs to it.
func (r *rig) seen(o cryptoki.Object) cryptoki.Object {
	if r.edit == nil || o.Handle == 0 {
		return o
	}
	o.Attrs = maps.Clone(o.Attrs)
	r.edit(&o)
	return o
}

func (r *rig) seenAll(list []cryptoki.Object) []cryptoki.Object {
	var out []cryptoki.Object
	for _, o := range list {
		out = append(out, r.seen(o))
	}
	return out
}

func (r *rig) Profile(ctx context.Context) (cryptoki.Profile, error) {
	if r.profile != nil {
		return *r.profile, nil
	}
	return r.Device.Profile(ctx)
}

func (r *rig) Lookup(ctx context.Context, typ uint, value []byte) ([]cryptoki.Object, error) {
	if err := r.begin("Lookup"); err != nil {
		return nil, err
	}
	list, err := r.Device.Lookup(ctx, typ, value)
	return r.seenAll(list), r.end("Lookup", err)
}

func (r *rig) Search(ctx context.Context, template []cryptoki.Attribute) ([]cryptoki.Object, error) {
	if err := r.begin("Search"); err != nil {
		return nil, err
	}
	list, err := r.Device.Search(ctx, template)
	return r.seenAll(list), r.end("Search", err)
}

func (r *rig) ConfirmAbsent(ctx context.Context, template []cryptoki.Attribute) error {
	if err := r.begin("ConfirmAbsent"); err != nil {
		return err
	}
	return r.end("ConfirmAbsent", r.Device.ConfirmAbsent(ctx, template))
}

func (r *rig) CreateObject(ctx context.Context, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	if err := r.begin("CreateObject"); err != nil {
		return cryptoki.Object{}, err
	}
	o, err := r.Device.CreateObject(ctx, attrs)
	return r.seen(o), r.end("CreateObject", err)
}

func (r *rig) CopyObject(ctx context.Context, h cryptoki.Handle, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	if err := r.begin("CopyObject"); err != nil {
		return cryptoki.Object{}, err
	}
	o, err := r.Device.CopyObject(ctx, h, attrs)
	return r.seen(o), r.end("CopyObject", err)
}

func (r *rig) SetAttributes(ctx context.Context, h cryptoki.Handle, attrs []cryptoki.Attribute) error {
	if err := r.begin("SetAttributes"); err != nil {
		return err
	}
	return r.end("SetAttributes", r.Device.SetAttributes(ctx, h, attrs))
}

func (r *rig) DestroyObject(ctx context.Context, h cryptoki.Handle) error {
	if err := r.begin("DestroyObject"); err != nil {
		return err
	}
	return r.end("DestroyObject", r.Device.DestroyObject(ctx, h))
}

func (r *rig) GenerateKey(ctx context.Context, m cryptoki.Mechanism, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	if err := r.begin("GenerateKey"); err != nil {
		return cryptoki.Object{}, err
	}
	o, err := r.Device.GenerateKey(ctx, m, r.template(attrs))
	return r.seen(o), r.end("GenerateKey", err)
}

func (r *rig) GenerateKeyPair(ctx context.Context, m cryptoki.Mechanism, public, private []cryptoki.Attribute) (pub, priv cryptoki.Object, err error) {
	if err := r.begin("GenerateKeyPair"); err != nil {
		return pub, priv, err
	}
	pub, priv, err = r.Device.GenerateKeyPair(ctx, m, r.template(public), r.template(private))
	return r.seen(pub), r.seen(priv), r.end("GenerateKeyPair", err)
}

func (r *rig) Sign(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, data []byte) ([]byte, error) {
	if err := r.begin("Sign"); err != nil {
		return nil, err
	}
	b, err := r.Device.Sign(ctx, m, key, data)
	if r.made != nil {
		r.made("Sign", b)
	}
	return b, r.end("Sign", err)
}

func (r *rig) Unwrap(ctx context.Context, m cryptoki.Mechanism, unwrapping cryptoki.Handle, wrapped []byte, attrs []cryptoki.Attribute) (cryptoki.Object, error) {
	if err := r.begin("Unwrap"); err != nil {
		return cryptoki.Object{}, err
	}
	o, err := r.Device.Unwrap(ctx, m, unwrapping, wrapped, r.template(attrs))
	return r.seen(o), r.end("Unwrap", err)
}

func (r *rig) Derive(ctx context.Context, m cryptoki.Mechanism, base cryptoki.Handle, attrs []cryptoki.Attribute) (cryptoki.Handle, error) {
	if err := r.begin("Derive"); err != nil {
		return 0, err
	}
	h, err := r.Device.Derive(ctx, m, base, attrs)
	return h, r.end("Derive", err)
}

func (r *rig) Decrypt(ctx context.Context, m cryptoki.Mechanism, key cryptoki.Handle, cipher []byte) ([]byte, error) {
	if err := r.begin("Decrypt"); err != nil {
		return nil, err
	}
	b, err := r.Device.Decrypt(ctx, m, key, cipher)
	if r.made != nil {
		r.made("Decrypt", b)
	}
	return b, r.end("Decrypt", err)
}

// broken is a failure of a kind.
func broken(kind fault.Kind) error {
	return &fault.Error{Kind: kind, Op: "pretend", Problem: "This is a test.", Hint: "Look at the test."}
}

// on fails the nth call of a kind of call and, if for ever, all later ones.
func (r *rig) on(call string, nth int, forEver bool, err error) func(string) error {
	return func(now string) error {
		if now == call && (r.calls[call] == nth || forEver && r.calls[call] > nth) {
			return err
		}
		return nil
	}
}
