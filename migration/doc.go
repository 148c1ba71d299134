// Package migration takes the decisions about one database, without touching it: how scripts are named, read and
// ordered, what the schema history says of them, and what migrate, validate, repair and baseline are to do.
//
// Everything is a pure function over values: Resolve turns files into scripts, Reconcile holds scripts against the
// history's rows and gives one Entry for each, and the Plan functions turn entries into steps and edits. All words,
// checksums, orders and messages are Flyway's unless a comment says otherwise.
package migration
