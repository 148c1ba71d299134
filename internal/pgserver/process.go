package pgserver

// process is one run of a postmaster.
type process struct {
	pid    int
	exited chan struct{} // closed when it has ended
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}
