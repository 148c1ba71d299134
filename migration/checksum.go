package migration

import (
	"hash/crc32"
	"strings"
)

// Checksum is the number the history keeps for a script's decoded text: the CRC-32 of its lines as UTF-8 with nothing
// between them, as a signed number. Line ends (CR LF, LF or CR), blank lines and a leading byte order mark
// therefore never change it, and every other byte does.
func Checksum(text string) int32 {
	text = strings.TrimPrefix(text, "\ufeff")
	var crc uint32
	buf := make([]byte, min(len(text), 4096)) // crc32 wants bytes; copying in pieces spares a second copy of a large script
	for text != "" {
		n := copy(buf, text)
		text = text[n:]
		start := 0
		for i := range n {
			if buf[i] == '\n' || buf[i] == '\r' {
				crc = crc32.Update(crc, crc32.IEEETable, buf[start:i])
				start = i + 1
			}
		}
		crc = crc32.Update(crc, crc32.IEEETable, buf[start:n])
	}
	return int32(crc)
}
