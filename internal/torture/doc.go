// Package torture holds the tests that break things on purpose: what a kill, a fault of
// the module or a rival leaves behind is read through an independent path, and checked
// against everything that must never be.
//
// Each test has a quick form, which `make test` runs, and a long one for `make torture`.
// Both draw their cases from a seed, which is printed; TORTURE_SEED repeats a run.
package torture
