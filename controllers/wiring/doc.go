// Package wiring says how work comes to a controller: which objects it watches, which work items their changes queue, and with which
// priority. What a controller lists here is what a manager builds, and what the simulation delivers.
package wiring
