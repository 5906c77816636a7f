// Package wiring defines which objects a controller watches, and which work items their changes queue, with which
// priority. A manager builds controllers from that, and the simulation delivers changes by it.
package wiring
