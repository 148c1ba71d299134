//go:build !linux

package pgserver

// MemoryDir is a folder in memory with room for a server; only Linux has one.
func MemoryDir() string { return "" }
