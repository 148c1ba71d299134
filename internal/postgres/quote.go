package postgres

import "strings"

// Ident quotes a name for use in SQL.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Qualified quotes schema and name.
func Qualified(schema, name string) string { return Ident(schema) + "." + Ident(name) }

// Literal quotes a text value. A backslash makes it an escape string (E), so that it means the same whatever
// standard_conforming_strings says.
func Literal(value string) string {
	value = strings.ReplaceAll(value, "'", "''")
	if strings.Contains(value, `\`) {
		return "E'" + strings.ReplaceAll(value, `\`, `\\`) + "'"
	}
	return "'" + value + "'"
}

// literalArray writes a text[] constant.
func literalArray(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = Literal(v)
	}
	return "array[" + strings.Join(quoted, ", ") + "]::pg_catalog.text[]"
}
