// Package publication remembers when the targets of each SigningKey came to hold each key, and which targets rotations no longer wait for.
package publication
