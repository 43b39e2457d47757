// Package performance measures the provider against what it cannot be quicker than: the
// CLI with resources that do nothing, and the module called from C. It has tests only.
//
// `make bench` measures every row of the table in templates/guides/performance.md,
// `make bench-quick` small rows that guard against a regression of class, and `make test`
// those of them that count instead of measuring time. A time is never looked at by
// itself: it is compared with a baseline that was measured in turns with it, in the same
// run.
package performance
