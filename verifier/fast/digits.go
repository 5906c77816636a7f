package fast

import "encoding/binary"

// maxWindows is the maximum number of digits of a 256-bit number, with windows of at least 6 bits.
const maxWindows = 43

// digits writes a number, in little-endian order, as the sum of digit[i] · 2^(width·i), with digits from
// 1-2^(width-1) to 2^(width-1). Signed digits need half as many multiples. With a width of 6 or 7 the last window has
// spare bits, so there is no final carry.
func digits(number *[32]byte, width int) (digit [maxWindows]int) {
	var words [5]uint64 // the last is 0
	for i := range 4 {
		words[i] = binary.LittleEndian.Uint64(number[8*i:])
	}
	carry := 0
	for i, at := 0, 0; at < 256; i, at = i+1, at+width {
		// A shift by 64 gives 0.
		window := words[at/64]>>(at%64) | words[at/64+1]<<(64-at%64)
		d := int(window&(1<<width-1)&0xff) + carry
		carry = 0
		if d > 1<<(width-1) {
			d, carry = d-1<<width, 1
		}
		digit[i] = d
	}
	return digit
}
