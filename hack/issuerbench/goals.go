package main

import "fmt"

// goal is a figure beside what it should be.
type goal struct {
	what   string
	figure float64
	bound  string
	met    bool
}

// atMost notes a figure that should not be above a bound.
func (b *bench) atMost(what string, figure, bound float64) {
	b.goals = append(b.goals, goal{what, figure, fmt.Sprintf("at most %g", bound), figure <= bound})
}

// atLeast notes a figure that should not be below a bound.
func (b *bench) atLeast(what string, figure, bound float64) {
	b.goals = append(b.goals, goal{what, figure, fmt.Sprintf("at least %g", bound), figure >= bound})
}

// printGoals prints each goal of what was measured. A missed one fails nothing: these are figures of a machine.
func (b *bench) printGoals() {
	fmt.Println("\n| goal | bound | figure | |")
	fmt.Println("|---|---|---|---|")
	for _, g := range b.goals {
		fmt.Printf("| %s | %s | %.3g | %s |\n", g.what, g.bound, g.figure, map[bool]string{true: "met", false: "missed"}[g.met])
	}
}
