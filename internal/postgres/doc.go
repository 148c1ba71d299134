// Package postgres is the only room that speaks SQL of its own to targets: connections, the migration lock, the schema
// history table, session state, and what the catalogs know. It decides nothing; it reports facts and does as told.
//
// Everything goes through the simple query protocol: several statements share a message, a pooler in transaction mode
// carries it, and a connection that is left idle in a transaction holds no snapshot afterwards, which the extended
// protocol's open portal would (see lock.go).
package postgres
