// Package controllers sets up the controllers of Keywright: what they are and how they work is in the packages below this one.
package controllers
