package issuerfiles

import "strings"

// A tombstone is a public key without a known private key. A set with only a tombstone verifies no token and is valid
// for all libraries, while PyJWT, Envoy and others reject {"keys":[]} and keep the previous keys.
//
// EC and OKP: the x coordinate, or the encoded point, is a hash, so that it was not chosen. It is the first bytes of
//
//	SHA-512("keywright.dev tombstone: nobody has the private half of this key, " + alg + ", " + n)
//
// for the smallest n that gives the x of a point (EC: 32, 48 and 64 bytes, and the even y of SEC 1 section 2.3.4) or
// the encoding of a point of prime order (EdDSA: 32 bytes, RFC 8032 section 5.1.2). That is 0 for EC, and 33 for
// EdDSA.
//
// RSA: the modulus is RSA-2048 of the RSA Factoring Challenge, which has not been factored.
const (
	kidES256 = "SXvk06WrNmcZGqkR8IllbnnvSADD1o9wyZDYT_MxWbQ"
	kidES384 = "fHe3EUyF30J4Tf5n-2QszqiqqI1GouHualDmva99nYk"
	kidES512 = "FWSNo9zLZr2B-o9LwoIJUTcMqeRHCX0Os0o-VSQRY6c"
	kidEdDSA = "SIfUM4lSDom_WpyzJqdwgSTXa6rlFwRoohCkzXgESm8"
	kidRSA   = "WkkzdEbB71XXbr8hWjzEzzL-znApnht9_3lv2NNsyrI"

	tombstoneES256 = `{"use":"sig","kty":"EC","kid":"` + kidES256 + `","crv":"P-256","alg":"ES256",` +
		`"x":"JDcZFL_kRoelc2IT7QTligC10Om6g1WwjjHwGpf7uSQ","y":"z60spLb-GJ5P1qg1Nxx2vSb8HAwyvzdA8gx8fRFkggQ"}`
	tombstoneES384 = `{"use":"sig","kty":"EC","kid":"` + kidES384 + `","crv":"P-384","alg":"ES384",` +
		`"x":"_Fhos0JHzNYd_AYPQCgUjA9ixmXbqca2EHY6e7X4eswKelFYVX9VYp5UeM3jJu9I",` +
		`"y":"FsQ4ObqOYjCeaheyoavs-DIL5UYy0dUkldXe2kFdJfFyLONmwwxl-U0wX538-faG"}`
	tombstoneES512 = `{"use":"sig","kty":"EC","kid":"` + kidES512 + `","crv":"P-521","alg":"ES512",` +
		`"x":"AABywzlYm5Ge33EtsZZmgI3czFnqtND2jLCUG1CHnW_gaPRMmkuG663ZsarYl2jcUSLZnl-pJPEi_K0bCAEmAdld",` +
		`"y":"AOOUCdpjGyRa2KaIuxKiEoXeHW4yFu1bRLc7KHJCv0DYnNlrR_hZ_eKzuK9B9eC0oxzTBG_KmZ8uSixgDgxEn_oQ"}`
	tombstoneEdDSA = `{"use":"sig","kty":"OKP","kid":"` + kidEdDSA + `","crv":"Ed25519","alg":"EdDSA",` +
		`"x":"2gzSp2hjr-9XQVJ9Ab25Fk2wQd9xLvkbJAUzMEGnEAY"}`
	tombstoneRSAHead = `{"use":"sig","kty":"RSA","kid":"` + kidRSA + `","alg":"`
	tombstoneRSATail = `","n":"x5cM7tzDsHVEkCAaeqYTzXOREIHHkPXxqHJvRjVQu1t_8NuOHqEYnscvk9FlABG9chrurMKs3jKgQQfwZIwoE6MfWwt3Zf-L` +
		`RLS2_8kzhLZG6wnHz16FktQOozyAA581tPFKBLUfe_14G-TRZzFkuo65kcLE1zC7vjX1kr3vUkr36Nrv0mxm_ALEea-J1k03P0QnCUOd5mzrlV8-o31R` +
		`WfYTWAn4UzS1yxgTrdyAzQVgnxCsapWtZYcskJUlva0yvHKVkmQpIPJMYdxbPDt5I-VrFqTZ03PYch8ko_wPGzEx9VYVFyhmvMww-VBUyCTnM6XraBf3` +
		`vBY5nUjGNhzH5Q","e":"AQAB"}`
)

// Tombstone returns the JWKS with the tombstone for an algorithm, or that of ES256 for an unknown algorithm.
func Tombstone(algorithm string) []byte {
	return []byte(`{"keys":[` + tombstoneKey(algorithm) + `]}`)
}

func tombstoneKey(algorithm string) string {
	switch algorithm {
	case "ES384":
		return tombstoneES384
	case "ES512":
		return tombstoneES512
	case "EdDSA":
		return tombstoneEdDSA
	case "RS256", "RS384", "RS512":
		return tombstoneRSAHead + algorithm + tombstoneRSATail
	default:
		return tombstoneES256
	}
}

// IsTombstone reports whether a kid is that of a tombstone. It is an RFC 7638 thumbprint, like all kids.
func IsTombstone(kid string) bool {
	switch kid {
	case kidES256, kidES384, kidES512, kidEdDSA, kidRSA:
		return true
	}
	return false
}

// TrustsNobody reports whether a JWKS contains only a tombstone.
func TrustsNobody(jwks string) bool {
	return IsTombstone(firstOf(jwks, `"kid":"`)) && jwks == string(Tombstone(firstOf(jwks, `"alg":"`)))
}

// firstOf returns the value of the first occurrence of a string member.
func firstOf(jwks, member string) string {
	_, rest, _ := strings.Cut(jwks, member)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}
