// Package ratelimit limits failed logins and concurrent requests.
package ratelimit
