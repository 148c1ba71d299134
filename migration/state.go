package migration

// State is where a migration stands in one database; its text is what Flyway displays.
type State string

// All states (flyway.md §5.2).
const (
	StatePending         State = "Pending"
	StateAboveTarget     State = "Above Target"
	StateBelowBaseline   State = "Below Baseline"
	StateBaselineIgnored State = "Ignored (Baseline)"
	StateBaseline        State = "Baseline"
	StateIgnored         State = "Ignored"
	StateMissing         State = "Missing"
	StateMissingFailed   State = "Failed (Missing)"
	StateSuccess         State = "Success"
	StateUndone          State = "Undone"
	StateAvailable       State = "Available"
	StateFailed          State = "Failed"
	StateOutOfOrder      State = "Out of Order"
	StateFuture          State = "Future"
	StateFutureFailed    State = "Failed (Future)"
	StateOutdated        State = "Outdated"
	StateSuperseded      State = "Superseded"
	StateDeleted         State = "Deleted"
)

var stateEnums = map[State]string{
	StatePending: "PENDING", StateAboveTarget: "ABOVE_TARGET", StateBelowBaseline: "BELOW_BASELINE",
	StateBaselineIgnored: "BASELINE_IGNORED", StateBaseline: "BASELINE", StateIgnored: "IGNORED",
	StateMissing: "MISSING_SUCCESS", StateMissingFailed: "MISSING_FAILED", StateSuccess: "SUCCESS",
	StateUndone: "UNDONE", StateAvailable: "AVAILABLE", StateFailed: "FAILED", StateOutOfOrder: "OUT_OF_ORDER",
	StateFuture: "FUTURE_SUCCESS", StateFutureFailed: "FUTURE_FAILED", StateOutdated: "OUTDATED",
	StateSuperseded: "SUPERSEDED", StateDeleted: "DELETED",
}

// Enum returns the name that the filter infoOfState takes, "ABOVE_TARGET".
func (s State) Enum() string { return stateEnums[s] }

// StateOf finds a state by its Enum name.
func StateOf(enum string) (State, bool) {
	for state, name := range stateEnums {
		if name == enum {
			return state, true
		}
	}
	return "", false
}

// Applied reports whether a migration in this state has run, well or not.
func (s State) Applied() bool {
	switch s {
	case StateBaseline, StateMissing, StateMissingFailed, StateSuccess, StateUndone, StateFailed, StateOutOfOrder,
		StateFuture, StateFutureFailed, StateOutdated, StateSuperseded, StateDeleted:
		return true
	}
	return false
}

// Failed reports whether the state comes of a run that failed.
func (s State) Failed() bool {
	return s == StateFailed || s == StateMissingFailed || s == StateFutureFailed
}

// missing reports whether the state says that an applied migration has no script any more.
func (s State) missing() bool {
	return s == StateMissing || s == StateMissingFailed || s.future()
}

func (s State) future() bool { return s == StateFuture || s == StateFutureFailed }
