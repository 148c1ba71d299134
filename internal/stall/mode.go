package stall

import "slices"

// Mode is a lock mode for which a wait holds others up: one that excludes writers, or readers too. Modes below these let
// both pass while they wait, and are of no interest here.
type Mode string

// The modes, as pg_locks has them.
const (
	Share             Mode = "ShareLock"
	ShareRowExclusive Mode = "ShareRowExclusiveLock"
	Exclusive         Mode = "ExclusiveLock"
	AccessExclusive   Mode = "AccessExclusiveLock"
)

// passes lists the modes that do not conflict with one of ours.
var passes = map[Mode][]string{
	Share:             {"AccessShareLock", "RowShareLock", "ShareLock"},
	ShareRowExclusive: {"AccessShareLock", "RowShareLock"},
	Exclusive:         {"AccessShareLock"},
	AccessExclusive:   {},
}

// Conflicts reports whether m has to wait for a lock of the mode held, as pg_locks names it.
func (m Mode) Conflicts(held string) bool { return !slices.Contains(passes[m], held) }
