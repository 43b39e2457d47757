package policy

// Compile returns the Cedar text of a spec, formatted: what its statements mean, or its
// own text. Nothing but mistakes in the spec itself is found, without any World; with
// one the text is empty.
func Compile(spec Spec) (cedar string, mistakes []Finding) { return "", nil }

// Check is Compile, and finds what is wrong in a World: names that are not there, and
// everything that the linter has to say. others are the environment's other policies.
func Check(spec Spec, world World, others []*Policy) []Finding { return nil }

// Names lists the credentials and keys that a spec names one by one, sorted; nil of
// what cannot be compiled.
func Names(spec Spec) (principals, keys []string) { return nil, nil }
