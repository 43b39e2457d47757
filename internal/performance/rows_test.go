package performance_test

import (
	"fmt"
	"maps"
	"slices"
)

// full are the rows of the guide.
func full() []row {
	const data, thing, alike, bare = "as many `terraform_data`", "as many resources of a provider that does nothing", "as many with the same attributes and values, which do nothing", "as many `terraform_data`, and the pairs in C"
	one, rotated := func(n int) shape { return shape{keys: n} }, func(n int) shape { return shape{n, true} }
	rows := []row{
		{"plan", "100", data, "s", 5, atMost(1.3), plan(one(100), builtIn)},
		{"plan", "1000", data, "s", 5, atMost(1.25), plan(one(1000), builtIn)},
		{"plan", "5000", data, "s", 5, atMost(1.25), plan(one(5000), builtIn)},
		{"plan-plugin", "1000", thing, "s", 5, limit{}, plan(one(1000), plugin)},
		{"plan-schema", "1000", alike, "s", 5, limit{}, planSchema(1000)},
		{"apply", "100", bare, "s", 5, atMost(1.25), apply(100)},
		{"apply", "1000", bare, "s", 5, atMost(1.25), apply(1000)},
		{"destroy", "1000", bare, "s", 5, atMost(1.25), destroy(1000)},
		{"rotations", "1000", data, "s", 5, atMost(1.3), plan(rotated(1000), builtIn)},
		{"due-plan", "10 of 1000", "nothing due", "s", 5, atMost(1.5), due(1000, 10, planDue)},
		{"due-apply", "10 of 1000", "nothing due", "s", 5, atMost(1.5), due(1000, 10, (*workdir).apply)},
		{"growth", "2000", "1,000 keys", "s", 5, atMost(2.1), growth(1000, 2000)},
		{"growth", "4000", "2,000 keys", "s", 5, atMost(2.1), growth(2000, 4000)},
		{"scan", "1000", "in C", "objects/s", 5, atLeast(0.8), scan(1000)},
		{"calls", "refresh", "", "calls", 1, atMost(2), calls(50, 100, refreshCalls)},
		{"calls", "create", "", "calls", 1, limit{}, calls(50, 100, createCalls)},
		{"calls", "rotate", "", "calls", 1, limit{}, calls(10, 30, rotateCalls)},
		{"calls", "destroy", "", "calls", 1, limit{}, calls(50, 100, destroyCalls)},
	}
	for _, name := range slices.Sorted(maps.Keys(signings)) {
		for _, threads := range []int{1, 2, 4, 8} {
			rows = append(rows, row{"sign-" + name, fmt.Sprint(threads), "in C", "/s", 5, atLeast(0.85), sign(name, threads)})
		}
	}
	return append(rows, []row{
		{"memory", "5000", "", "MiB", 1, atMost(150), memory(5000, 0)},
		{"memory-growth", "5000", "1,000 keys", "MiB", 1, atMost(5), memory(5000, 1000)},
		{"start", "serve", "a provider without resources", "ms", 5, atMost(1.2), serve},
		{"start", "validate", "a provider without resources", "s", 5, atMost(1.2), validate},
		{"state", "key", "", "bytes", 1, atMost(2048), stateSize},
		{"audit-records", "32", "", "/s", 5, atLeast(10000), records(32)},
		{"audit-apply", "1000", "without an audit log", "s", 5, atMost(1.1), audited(1000)},
	}...)
}

// counted are rows that are the same on any machine. As in quick, limits are far from what
// is measured: what they find is one call that became ten, or a line that became a parabola.
func counted() []row {
	return []row{
		{"calls", "refresh", "", "calls", 1, atMost(12), calls(20, 40, refreshCalls)},
		{"searches", "refresh", "", "calls", 1, atMost(0.2), searches(20, 40, refreshCalls)},
		{"calls", "create", "", "calls", 1, atMost(40), calls(20, 40, createCalls)},
		{"calls", "rotate", "", "calls", 1, atMost(100), calls(10, 30, rotateCalls)},
		{"calls", "destroy", "", "calls", 1, atMost(80), calls(20, 40, destroyCalls)},
		{"state", "key", "", "bytes", 1, atMost(4096), stateSize},
	}
}

// quick are rows that a busy machine gets through in a minute or two.
func quick() []row {
	const data, thing = "as many `terraform_data`, and the pairs in C", "as many of a provider that does nothing"
	return append(counted(), []row{
		{"plan", "150", thing, "s", 3, atMost(8), plan(shape{keys: 150}, plugin)},
		{"growth", "600", "150 keys", "s", 3, atMost(6), growth(150, 600)},
		{"apply", "50", data, "s", 3, atMost(10), apply(50)},
		{"destroy", "50", data, "s", 3, atMost(20), destroy(50)},
		{"due-apply", "5 of 50", "nothing due", "s", 3, atMost(5), due(50, 5, (*workdir).apply)},
		{"scan", "600", "in C", "objects/s", 3, atLeast(0.2), scan(600)},
		{"sign-P-256", "2", "in C", "/s", 3, atLeast(0.2), sign("P-256", 2)},
		{"memory", "600", "", "MiB", 1, atMost(300), memory(600, 0)},
		{"audit-records", "32", "", "/s", 3, atLeast(500), records(32)},
		{"audit-apply", "50", "without an audit log", "s", 3, atMost(3), audited(50)},
		{"start", "serve", "a provider without resources", "ms", 3, atMost(3), serve},
	}...)
}
