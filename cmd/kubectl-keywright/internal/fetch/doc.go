// Package fetch reads the keys of another issuer once, as the fetcher does.
package fetch
