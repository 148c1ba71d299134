// Package stall decides how to get a lock that others must not be held up for.
//
// Whoever waits for a strong lock on a table holds up everyone who comes later, readers too. So a lock is asked for only
// when the wait is likely to fit a budget; else whoever wants it watches from outside the queue.
//
// Of tells from a statement's text on which relations it wants such a lock. Watch decides, from what is seen of the
// locks of those relations, whether to try now and for how long.
package stall
