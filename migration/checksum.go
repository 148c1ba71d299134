package migration

import (
	"bytes"
	"hash/crc32"
	"strings"
	"unsafe"
)

// Checksum is the number the history keeps for a script's decoded text: the CRC-32 of its lines as UTF-8 with nothing
// between them, as a signed number. Line ends (CR LF, LF or CR), blank lines and a leading byte order mark
// therefore never change it, and every other byte does.
func Checksum(text string) int32 {
	text = strings.TrimPrefix(text, "\ufeff")
	// crc32 wants bytes and only reads them: a view of the text spares a copy of every script.
	data := unsafe.Slice(unsafe.StringData(text), len(text))
	ends := "\n" // looking for one character is far quicker than for either of two
	if strings.Contains(text, "\r") {
		ends = "\r\n"
	}
	var crc uint32
	for len(data) > 0 {
		n := bytes.IndexAny(data, ends)
		if n < 0 {
			n = len(data)
		}
		crc = crc32.Update(crc, crc32.IEEETable, data[:n])
		data = data[min(n+1, len(data)):]
	}
	return int32(crc)
}
