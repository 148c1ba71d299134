package migration

import "unicode/utf16"

// AbbreviateDescription makes a description fit the history's 200 characters: 197 of them and "...".
// Characters are counted as Java counts them, in UTF-16 units.
func AbbreviateDescription(s string) string {
	if len(s) <= 200 {
		return s
	}
	units := utf16.Encode([]rune(s))
	if len(units) <= 200 {
		return s
	}
	return wholeRunes(units[:197]) + "..."
}

// AbbreviateScript makes a script's path fit the history's 1000 characters: "..." in place of the first three, and
// nothing behind the thousandth, as Flyway cuts it.
func AbbreviateScript(s string) string {
	if len(s) <= 1000 {
		return s
	}
	units := utf16.Encode([]rune(s))
	if len(units) <= 1000 {
		return s
	}
	return "..." + wholeRunes(units[3:1000])
}

// wholeRunes decodes units and drops a half character at either end, which no UTF-8 database could store.
func wholeRunes(units []uint16) string {
	if len(units) > 0 && units[0] >= 0xdc00 && units[0] <= 0xdfff {
		units = units[1:]
	}
	if n := len(units); n > 0 && units[n-1] >= 0xd800 && units[n-1] <= 0xdbff {
		units = units[:n-1]
	}
	return string(utf16.Decode(units))
}
