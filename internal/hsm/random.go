package hsm

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// Random returns random bytes of the HSM, see lifecycle.Token.
func (t *Token) Random(ctx context.Context, n int) ([]byte, error) {
	random, err := t.device.Random(ctx, n)
	if err == nil && len(random) != n {
		err = &fault.Error{Kind: fault.Internal, Op: "generate random bytes", Problem: fmt.Sprintf("The token gave %d bytes, not %d.", len(random), n)}
	}
	return random, err
}
