package secret

import "errors"

// ErrSilent is what errors.Is finds in the error of a place that did not answer, as opposed to one that said no: the same
// question may be answered in a moment.
var ErrSilent = errors.New("it does not answer")

// Silent is err, in its own words, as an ErrSilent.
func Silent(err error) error { return silent{err} }

type silent struct{ error }

func (s silent) Unwrap() []error { return []error{ErrSilent, s.error} }
