// Package publication records when the targets of each SigningKey got each key, and which targets rotations no longer
// wait for.
package publication
