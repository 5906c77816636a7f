package main

import (
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkDistribution
    distribution_bench_test.go:66: floor 1s, ours 1.2s
BenchmarkDistribution-2   	       5	   0 ns/op	         1.060 x-floor	        11.00 most-other-writes
ok  	github.com/keywright/keywright/cmd/controller	100.1s

| ES256, first verification | µs | ratio | allocations | bytes |
|---|---|---|---|---|
| the bare signature check | 72.7 | 1.00 | 10 | 5 |
| this module | 79.4 | 1.07 | 19 | 6 |
`

func TestGoalsAreReadFromBothKindsOfOutput(t *testing.T) {
	var out strings.Builder
	if err := report(&out, read(strings.NewReader(printed))); err != nil {
		t.Fatal(err)
	}
	const want = `
| figure | measured | goal: at most | met |
|---|---|---|---|
| Distribution, x-floor | 1.06 | 1.25 | yes |
| Distribution, most-other-writes | 11 | 10 | **no** |
| ES256, first verification, this module, ratio | 1.07 | 1.12 | yes |
| ES256, first verification, this module, allocations | 19 | 30 | yes |
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
