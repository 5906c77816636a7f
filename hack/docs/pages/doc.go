// Package pages reads the documentation: its links, its headings and its blocks of code, each with what a comment above it says about who
// runs it.
package pages
