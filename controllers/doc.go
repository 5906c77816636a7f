// Package controllers sets up the controllers of Keywright, which are in the packages below this one.
package controllers
