package cryptoki

import "context"

// Token is one token, opened and logged in to when first needed. All methods may
// be called from several goroutines.
type Token struct{ cfg Config }

func New(cfg Config) *Token { return &Token{cfg: cfg} }

func (t *Token) Close() error                                                        { panic("todo") }
func (t *Token) Info(ctx context.Context) (Info, error)                              { panic("todo") }
func (t *Token) Mechanisms(ctx context.Context) (map[uint]MechanismInfo, error)      { panic("todo") }
func (t *Token) Profile(ctx context.Context) (Profile, error)                        { panic("todo") }
func (t *Token) Warnings() []string                                                  { panic("todo") }
func (t *Token) Objects(ctx context.Context) ([]Object, error)                       { panic("todo") }
func (t *Token) Search(ctx context.Context, template []Attribute) ([]Object, error)  { panic("todo") }
func (t *Token) ConfirmAbsent(ctx context.Context, template []Attribute) error       { panic("todo") }
func (t *Token) CreateObject(ctx context.Context, attrs []Attribute) (Object, error) { panic("todo") }
func (t *Token) CopyObject(ctx context.Context, h Handle, attrs []Attribute) (Object, error) {
	panic("todo")
}
func (t *Token) SetAttributes(ctx context.Context, h Handle, attrs []Attribute) error { panic("todo") }
func (t *Token) DestroyObject(ctx context.Context, h Handle) error                    { panic("todo") }
func (t *Token) GenerateKey(ctx context.Context, m Mechanism, attrs []Attribute) (Object, error) {
	panic("todo")
}
func (t *Token) GenerateKeyPair(ctx context.Context, m Mechanism, public, private []Attribute) (pub, priv Object, err error) {
	panic("todo")
}
func (t *Token) Sign(ctx context.Context, m Mechanism, key Handle, data []byte) ([]byte, error) {
	panic("todo")
}
func (t *Token) Verify(ctx context.Context, m Mechanism, key Handle, data, sig []byte) error {
	panic("todo")
}
func (t *Token) Encrypt(ctx context.Context, m Mechanism, key Handle, plain []byte) ([]byte, error) {
	panic("todo")
}
func (t *Token) Decrypt(ctx context.Context, m Mechanism, key Handle, cipher []byte) ([]byte, error) {
	panic("todo")
}
func (t *Token) Wrap(ctx context.Context, m Mechanism, wrapping, key Handle) ([]byte, error) {
	panic("todo")
}
func (t *Token) Unwrap(ctx context.Context, m Mechanism, unwrapping Handle, wrapped []byte, attrs []Attribute) (Handle, error) {
	panic("todo")
}
func (t *Token) Derive(ctx context.Context, m Mechanism, base Handle, attrs []Attribute) (Handle, error) {
	panic("todo")
}
func Code(err error) (uint, bool)            { panic("todo") }
func IsRefusal(err error) bool               { panic("todo") }
func MechanismName(code uint) string         { panic("todo") }
func MechanismCode(name string) (uint, bool) { panic("todo") }

type driver interface{}
