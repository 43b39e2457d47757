package credential

import "context"

// Derive is the whole derivation, with all that goes into it.
func Derive(ctx context.Context, with Deriver, environment, name string, version int, a Algorithm, salt []byte) ([]byte, error) {
	return derivation{environment, name, version, a, salt}.secret(ctx, with, 1)
}

// CounterMode is what the derivation is made with.
func CounterMode(ctx context.Context, with Deriver, fixedInput []byte, size int) ([]byte, error) {
	return counterMode(ctx, with, 1, fixedInput, size)
}
