// Package postgrestest starts real PostgreSQL servers for tests.
package postgrestest
