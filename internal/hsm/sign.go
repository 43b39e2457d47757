package hsm

import (
	"context"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Sign signs in the HSM, see lifecycle.Token.
func (t *Token) Sign(ctx context.Context, ref keyring.Ref, message []byte) ([]byte, error) {
	var made []byte
	err := t.onObjects(ctx, ref, func(h halves) (err error) {
		made, err = t.signWith(ctx, ref, h, message)
		return err
	})
	return made, err
}

func (t *Token) signWith(ctx context.Context, ref keyring.Ref, h halves, message []byte) ([]byte, error) {
	problem := func(kind fault.Kind, problem string) ([]byte, error) {
		return nil, &fault.Error{Kind: kind, Op: "sign", Subject: subject(ref), Problem: problem}
	}
	switch len(h.secrets) {
	case 0:
		return problem(fault.NotFound, "There is no private key of this id on the token.")
	case 1:
	default:
		return problem(fault.Inconsistent, fmt.Sprintf("There are %d private keys of this id on the token.", len(h.secrets)))
	}
	key := h.secrets[0]
	algorithm, err := recognise(key)
	if err != nil {
		return nil, err
	}
	if algorithm != keyring.Ed25519 && algorithm != keyring.ECP256 {
		return problem(fault.Unsupported, fmt.Sprintf("An %s key signs nothing here.", algorithm))
	}
	scheme := signatureSchemes[algorithm.Family()][0]
	made, err := t.device.Sign(ctx, scheme.mechanism, key.Handle, scheme.input(message))
	if err != nil {
		return nil, err
	}
	m := material{algorithm: algorithm, secret: key}
	if len(made) != m.signatureSize(scheme) {
		return nil, wrong(m, fmt.Sprintf("Its signature is %d bytes long.", len(made)), nil)
	}
	if algorithm == keyring.Ed25519 {
		return made, nil
	}
	var rs struct{ R, S *big.Int }
	rs.R, rs.S = new(big.Int).SetBytes(made[:len(made)/2]), new(big.Int).SetBytes(made[len(made)/2:])
	return asn1.Marshal(rs)
}
