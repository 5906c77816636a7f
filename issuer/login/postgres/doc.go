// Package postgres finds users in a PostgreSQL database, by one query, and compares their passwords with the hashes that it returns.
package postgres
