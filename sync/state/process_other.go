//go:build !linux

package state

// machine is unknown here, so the lease of a dead process is waited for.
func machine() string { return "" }

func processStart(int) (started string, gone bool) { return "", false }

// lockHolder is unknown here.
func lockHolder(string) int { return 0 }
