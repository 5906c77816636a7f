// Package postgres authenticates users from a PostgreSQL database, with a configured query and password hashes.
package postgres
