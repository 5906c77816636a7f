package main

// goal is the most that a figure may be.
type goal struct {
	figure string
	most   float64
}

// goals returns those of docs/benchmarks.md. A figure is "BENCHMARK, UNIT" of Go's benchmarks, or "TITLE, ROW, COLUMN" of a table in Markdown.
func goals() []goal {
	return []goal{
		{"Plan, ns/op", 20_000},

		{"Distribution, x-floor", 1.25},
		{"Distribution, x-floor-apiserver-cpu", 1.15},
		{"Distribution, x-floor-cpu", 1.5},
		{"Distribution, x-watching-floor-cpu", 1.5},
		{"Distribution, controller-cpu-s/1000", 0.35},
		{"Distribution, configmap-reads", 0},
		{"Distribution, most-other-writes", 10},
		{"Distribution, s-repair-idle", 0.05},
		{"Distribution, s-new-namespace-idle", 0.05},
		{"Distribution, s-repair-amid-a-change", 1},
		{"Distribution, MiB-after-changes", 60},
		{"Distribution, MiB-more-with-unrelated", 1},
		{"Distribution, x-reconciling-floor-cpu", 1.5},
		{"Start, ms-to-ready", 100},
		{"ForeignRotation, x-floor", 1.25},
		{"ForeignRotation, writes-at-rest", 0},
		{"FetcherMemory, MiB", 25},

		{"ES256, first verification, this module, ratio", 1.12},
		{"ES256, first verification, this module, allocations", 30},
		{"ES256, first verification, this module with verifier/fast, ratio", 0.60},
		{"ES256, this module, the same token again, one core, µs", 0.7},
		{"ES256, this module, the same token again, one core, allocations", 0},
		{"ES256, this module, refused: unknown kid, every one another, µs", 2},
		{"ES256, with a proof, first verification, this module, ratio", 1.2},

		{"EdDSA, first verification, this module, ratio", 1.15},
		{"EdDSA, first verification, this module, allocations", 30},
		{"EdDSA, first verification, this module with verifier/fast, ratio", 0.60},
		{"EdDSA, this module, the same token again, one core, µs", 0.7},
		{"EdDSA, this module, the same token again, one core, allocations", 0},
		{"EdDSA, this module, refused: unknown kid, every one another, µs", 2},
		{"EdDSA, with a proof, first verification, this module, ratio", 1.2},

		{"RS256, first verification, this module, ratio", 1.20},
		{"RS256, first verification, this module, allocations", 30},
		{"RS256, this module, the same token again, one core, µs", 0.7},
		{"RS256, this module, the same token again, one core, allocations", 0},
		{"RS256, this module, refused: unknown kid, every one another, µs", 2},
		{"RS256, with a proof, first verification, this module, ratio", 1.2},
	}
}
