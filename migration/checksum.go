package migration

import (
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
	return int32(updateLines(0, data))
}
