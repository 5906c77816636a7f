// Package issuer is the root of the packages that authenticate clients and sign tokens. It holds no code: config reads what
// an operator sets, mount follows the files that a kubelet swaps, keys and login make sense of two of them, jwtverify checks
// what others signed, limit slows down whoever guesses, token makes claims, oauth2 answers who asks for a token, and server puts
// all behind HTTPS. None of them talks to the Kubernetes API.
package issuer
