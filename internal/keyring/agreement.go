package keyring

import (
	"crypto/elliptic"
	"encoding/hex"
	"math/big"
)

// A private key on a curve is a number d, and its public key the point d·G. A token
// that unwraps a private key often tells no more than the curve. Asked for the key
// agreement of d with G, the curve's base point, it tells the first coordinate of d·G,
// and with it the public key up to a sign.

// baseSecp256k1 is the base point G of secp256k1 (SEC 2 section 2.4.1), uncompressed.
const baseSecp256k1 = "0479BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798" +
	"483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8"

var nistCurves = map[Algorithm]elliptic.Curve{ECP256: elliptic.P256(), ECP384: elliptic.P384(), ECP521: elliptic.P521()}

// BasePoint returns the base point of the curve of an algorithm of the EC family,
// uncompressed (SEC 1 section 2.3.3); nil for any other algorithm.
func BasePoint(a Algorithm) []byte {
	if a == ECSecp256k1 {
		point, _ := hex.DecodeString(baseSecp256k1) // it is hexadecimal
		return point
	}
	curve, ok := nistCurves[a]
	if !ok {
		return nil
	}
	return uncompressed(a, curve.Params().Gx, curve.Params().Gy)
}

// PointsAt returns the two points of a curve of the EC family that have a first
// coordinate, big-endian, both uncompressed. A coordinate without any is
// fault.Invalid. It is for public keys: what it takes depends on the numbers.
func PointsAt(a Algorithm, x []byte) ([2][]byte, error) {
	var points [2][]byte
	size := curves[a].size
	if a.Family() != EC || len(x) != size {
		return points, invalidPublicKey("This is not the first coordinate of a point.", nil)
	}
	for i := range points {
		var first, second *big.Int
		if curve, ok := nistCurves[a]; ok {
			first, second = elliptic.UnmarshalCompressed(curve, append([]byte{byte(2 + i)}, x...)) // SEC 1 section 2.3.4
		} else {
			first, second = new(big.Int).SetBytes(x), secondSecp256k1(x, i == 1)
		}
		if first == nil || second == nil {
			return points, invalidPublicKey("No point of the curve "+curves[a].crv+" has this first coordinate.", nil)
		}
		points[i] = uncompressed(a, first, second)
		if err := checkPoint(a, points[i]); err != nil {
			return points, err
		}
	}
	return points, nil
}

// secondSecp256k1 solves y² = x³ + 7 for the odd or the even y, nil if there is none.
func secondSecp256k1(x []byte, odd bool) *big.Int {
	p := primeSecp256k1()
	y := new(big.Int).Exp(new(big.Int).SetBytes(x), big.NewInt(3), p)
	y.Add(y, big.NewInt(7)).Mod(y, p)
	if y = y.ModSqrt(y, p); y != nil && (y.Bit(0) == 1) != odd {
		y.Sub(p, y)
	}
	return y
}

func uncompressed(a Algorithm, x, y *big.Int) []byte {
	size := curves[a].size
	point := make([]byte, 1+2*size)
	point[0] = 4
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	return point
}
