package desired

import "sync"

// decoded has the records of recently decoded annotations, by their text. Nearly all ConfigMaps have one of a few texts,
// and each is read several times per change. The records must not be changed.
type decoded struct {
	mu    sync.Mutex
	known map[string]map[string]Record
}

const (
	// maxDecoded limits the number of texts.
	maxDecoded = 64
	// longestDecoded limits a text, in bytes. It is enough for some 400 records.
	longestDecoded = 64 << 10
)

// of returns the records of a text, which decode decodes if it is not known.
func (d *decoded) of(text string, decode func(string) map[string]Record) map[string]Record {
	if len(text) > longestDecoded {
		return decode(text)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	records, ok := d.known[text]
	if !ok {
		if d.known == nil || len(d.known) >= maxDecoded {
			d.known = map[string]map[string]Record{}
		}
		records = decode(text)
		d.known[text] = records
	}
	return records
}
