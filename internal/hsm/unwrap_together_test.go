package hsm_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// TestUnwrapTogether takes in many keys at once, as an apply does: what one of them makes
// for a moment is no concern of another one.
func TestUnwrapTogether(t *testing.T) {
	b, o := newBench(t), newOutside(t)
	by, pem := b.wrapping(t, o)
	material := make([][]byte, 24)
	for i := range material {
		key, _ := o.make(keyring.ECP256)
		material[i] = o.wrap("wrap-rsa-aes.sh", pem, key)
	}
	var all sync.WaitGroup
	for i, wrapped := range material {
		all.Go(func() {
			order := imported(fmt.Sprintf("key-%d", i), keyring.ECP256, keyring.Sign|keyring.Verify)
			if _, err := b.hsm.Unwrap(t.Context(), order, lifecycle.Wrapped{Material: wrapped, Mechanism: keyring.RSAAESKeyWrap, By: by}); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}
