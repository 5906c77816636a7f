package main

import (
	"regexp"
	"strconv"
	"strings"
)

// reader reads a benchmark's output line by line.
type reader struct {
	// columns are the header of the table that is being read.
	columns []string
	found   map[string]float64
}

var benchmark = regexp.MustCompile(`^Benchmark(\w+?)(-\d+)?\s+\d+\s+(.*)$`)

func (r *reader) line(text string) {
	if r.found == nil {
		r.found = map[string]float64{}
	}
	if match := benchmark.FindStringSubmatch(text); match != nil {
		fields := strings.Fields(match[3])
		for i := 0; i+1 < len(fields); i += 2 {
			r.add(match[1]+", "+fields[i+1], fields[i])
		}
		return
	}
	if !strings.HasPrefix(text, "|") {
		r.columns = nil
		return
	}
	cells := strings.Split(strings.Trim(text, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if r.columns == nil {
		r.columns = cells
		return
	}
	for i := 1; i < min(len(cells), len(r.columns)); i++ {
		r.add(strings.Join([]string{r.columns[0], cells[0], r.columns[i]}, ", "), cells[i])
	}
}

// add keeps a figure, if it is one.
func (r *reader) add(name, text string) {
	if value, err := strconv.ParseFloat(text, 64); err == nil {
		r.found[name] = value
	}
}
