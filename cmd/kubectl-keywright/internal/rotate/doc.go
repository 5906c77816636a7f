// Package rotate requests a rotation, and waits until the next key signs.
package rotate
