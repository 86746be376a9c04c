package state

import "os"

// process is who holds a lease.
type process struct {
	host string
	// machine tells where process ids mean the same: the boot of the machine and the container. Empty where unknown.
	machine string
	pid     int
	// started tells two processes apart that had the same id one after the other. Empty where unknown.
	started string
}

func thisProcess() process {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	pid := os.Getpid()
	started, _ := processStart(pid)
	return process{host: host, machine: machine(), pid: pid, started: started}
}

// knowsDead reports whether the other process is certainly gone. Only a process of the same boot and container can tell;
// doubt is false.
func (p process) knowsDead(other process) bool {
	if p.machine == "" || p.host != other.host || p.machine != other.machine {
		return false
	}
	started, gone := processStart(other.pid)
	return gone || (started != "" && other.started != "" && started != other.started)
}
