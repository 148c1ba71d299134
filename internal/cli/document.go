package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// object and list are JSON values. encoding/json is not used to print them because Flyway's documents have a layout of
// their own (keys sorted, `"key" : value`, "[ {" on one line) and because text is not to be escaped for HTML.
type (
	object map[string]any
	list   []any
	// ordered is an object whose fields keep their order, as those of Flyway's error objects do.
	ordered []field
	field   struct {
		Name  string
		Value any
	}
)

// document prints v as Flyway 13 prints a result: two blanks of indentation, keys in alphabetical order, no line feed
// at the end. Values are object, ordered, list, string, int, int64, bool and nil; anything else is a fault of the caller.
func document(v any) string {
	var b strings.Builder
	writeValue(&b, v, 0)
	return b.String()
}

func writeValue(b *strings.Builder, v any, depth int) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case string:
		writeString(b, v)
	case object:
		writeObject(b, v.sorted(), depth)
	case ordered:
		writeObject(b, v, depth)
	case list:
		writeList(b, v, depth)
	default:
		panic(fmt.Sprintf("cli: a %T has no form in a JSON document", v))
	}
}

func (o object) sorted() ordered {
	fields := make(ordered, 0, len(o))
	for name, value := range o {
		fields = append(fields, field{name, value})
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

func writeObject(b *strings.Builder, fields ordered, depth int) {
	if len(fields) == 0 {
		b.WriteString("{ }")
		return
	}
	indent := strings.Repeat("  ", depth+1)
	for i, f := range fields {
		if i == 0 {
			b.WriteString("{\n" + indent)
		} else {
			b.WriteString(",\n" + indent)
		}
		writeString(b, f.Name)
		b.WriteString(" : ")
		writeValue(b, f.Value, depth+1)
	}
	b.WriteString("\n" + indent[2:] + "}")
}

// writeList keeps the elements on the line of the bracket and does not indent them further.
func writeList(b *strings.Builder, l list, depth int) {
	if len(l) == 0 {
		b.WriteString("[ ]")
		return
	}
	b.WriteString("[ ")
	for i, v := range l {
		if i > 0 {
			b.WriteString(", ")
		}
		writeValue(b, v, depth)
	}
	b.WriteString(" ]")
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

// writeString writes s in quotes. Invalid UTF-8 becomes U+FFFD.
func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		if e, ok := jsonEscapes[r]; ok {
			b.WriteString(e)
		} else if r < 0x20 {
			fmt.Fprintf(b, `\u%04X`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// strs turns texts into a JSON list.
func strs(in []string) list {
	out := list{}
	for _, s := range in {
		out = append(out, s)
	}
	return out
}
