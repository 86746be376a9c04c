package file

// What the tests of the outside look at.
var (
	TryLock           = tryLock
	Spellings         = spellings
	InvertedSpellings = invertedSpellings
	ActiveSpellings   = activeSpellings
	InactiveSpellings = inactiveSpellings
)
