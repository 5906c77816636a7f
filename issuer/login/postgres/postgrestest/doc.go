// Package postgrestest starts PostgreSQL servers for tests.
package postgrestest
