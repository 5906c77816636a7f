package dpop

import "errors"

// The reasons for rejecting a proof, for errors.Is. Error messages do not contain any part of the proof and can be
// logged. The check numbers are those of RFC 9449 section 4.3.
var (
	// ErrMissing is returned if there is no DPoP header field.
	ErrMissing = errors.New("no proof")
	// ErrSeveral is returned if there is more than one DPoP header field (check 1).
	ErrSeveral = errors.New("more than one proof")
	// ErrMalformed is returned if the header field is not one well-formed JWT in JWS compact serialization (check 2):
	// for example if it is longer than 4 KiB, has a duplicate member, or has a header parameter that changes what is
	// signed or adds another key.
	ErrMalformed = errors.New("malformed proof")
	// ErrClaims is returned if jti, htm, htu or iat is missing, or if a claim violates section 4.2 (check 3).
	ErrClaims = errors.New("claims of the proof are missing or invalid")
	// ErrType is returned if typ is not dpop+jwt (check 4).
	ErrType = errors.New("wrong type of the proof")
	// ErrAlgorithm is returned if alg is not in Algorithms (check 5).
	ErrAlgorithm = errors.New("algorithm not supported for proofs")
	// ErrSignature is returned if the signature is not valid for the key in jwk (check 6).
	ErrSignature = errors.New("bad signature of the proof")
	// ErrPrivateKey is returned if jwk contains a private or a symmetric key (check 7).
	ErrPrivateKey = errors.New("the proof contains its private key")
	// ErrKey is returned if jwk is missing, is not a public key of the type for alg, or is out of bounds.
	ErrKey = errors.New("unusable key of the proof")
	// ErrMethod is returned if htm is not the method of the request (check 8).
	ErrMethod = errors.New("proof for another method")
	// ErrURL is returned if htu is not the URL of the request (check 9).
	ErrURL = errors.New("proof for another URL")

	// ErrReplayed is returned by Replays.Remember for a proof that was seen before (section 11.1).
	ErrReplayed = errors.New("replayed proof")
	// ErrFull is returned by Replays.Remember if there is no room for another proof.
	ErrFull = errors.New("the memory of proofs is full")
)
