package hsm

import (
	"context"
	"fmt"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// MAC computes an HMAC in the HSM, see lifecycle.Token.
func (t *Token) MAC(ctx context.Context, ref keyring.Ref, message []byte) ([]byte, error) {
	var mac []byte
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		mac, err = t.macWith(ctx, ref, h, message)
		return err
	})
	return mac, err
}

func (t *Token) macWith(ctx context.Context, ref keyring.Ref, h halves, message []byte) ([]byte, error) {
	problem := func(kind fault.Kind, problem string) ([]byte, error) {
		return nil, &fault.Error{
			Kind: kind, Op: "compute MAC", Subject: subject(ref), Problem: problem,
			Hint: "What is on the token is not what was recorded: restore the token's backup.",
		}
	}
	switch len(h.secrets) {
	case 0:
		return problem(fault.NotFound, "There is no secret key of this id on the token.")
	case 1:
	default:
		return problem(fault.Inconsistent, fmt.Sprintf("There are %d secret keys of this id on the token.", len(h.secrets)))
	}
	key := h.secrets[0]
	algorithm, err := recogniseRecorded(ref, key)
	if err != nil {
		return nil, err
	}
	own, ok := macSchemes[algorithm]
	if !ok {
		return problem(fault.Unsupported, fmt.Sprintf("An %s key computes no HMAC.", algorithm))
	}
	mac, err := t.device.Sign(ctx, own[0].mechanism, key.Handle, message)
	if err != nil {
		return nil, err
	}
	if len(mac) != algorithm.Bits()/8 {
		return nil, wrong(material{algorithm: algorithm, secret: key}, fmt.Sprintf("Its MAC is %d bytes long.", len(mac)), nil)
	}
	return mac, nil
}
