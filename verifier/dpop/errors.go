package dpop

import "errors"

// Why a proof was refused, for errors.Is. The messages around them say what was wrong without a byte of the proof, so that they can
// be logged. The numbers are those of the checks of RFC 9449 section 4.3.
var (
	// ErrMissing is returned when there is no DPoP header field.
	ErrMissing = errors.New("no proof")
	// ErrSeveral is returned when there is more than one DPoP header field (check 1).
	ErrSeveral = errors.New("more than one proof")
	// ErrMalformed is returned for what is not one well-formed JWT in JWS compact serialization (check 2): it is longer than 4 KiB,
	// has a member twice, or has a header parameter that changes what is signed or brings another key.
	ErrMalformed = errors.New("malformed proof")
	// ErrClaims is returned when jti, htm, htu or iat is missing, or a claim is of another form than section 4.2 says (check 3).
	ErrClaims = errors.New("claims of the proof are missing or of another form")
	// ErrType is returned when typ is not dpop+jwt (check 4).
	ErrType = errors.New("not the type of a proof")
	// ErrAlgorithm is returned when alg is none of Algorithms (check 5).
	ErrAlgorithm = errors.New("not an algorithm of proofs")
	// ErrSignature is returned when the key in jwk did not sign the proof (check 6).
	ErrSignature = errors.New("bad signature of the proof")
	// ErrPrivateKey is returned when jwk holds a private or a symmetric key (check 7).
	ErrPrivateKey = errors.New("the proof gives its private key away")
	// ErrKey is returned when jwk is missing, is no public key of the type that alg asks for, or is out of bounds.
	ErrKey = errors.New("unusable key of the proof")
	// ErrMethod is returned when htm is not the method of the request (check 8).
	ErrMethod = errors.New("proof for another method")
	// ErrURL is returned when htu is not the URL of the request (check 9).
	ErrURL = errors.New("proof for another URL")

	// ErrReplayed is returned by Replays.Remember for a proof that was seen before (section 11.1).
	ErrReplayed = errors.New("replayed proof")
	// ErrFull is returned by Replays.Remember when there is no room for another proof.
	ErrFull = errors.New("no room to remember the proof")
)
