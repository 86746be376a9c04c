package directory

// Full is a directory with every power but [BulkCreator] and [ChangeLister], which depend on what a vendor offers. The engine
// never asks for it: with it the implementations that have so much state that none has got lost.
type Full interface {
	Directory
	Counter
	Partitioner
	Getter
	Finder
	GroupLister
	MemberLister
	MembershipLister
	Creator
	Updater
	StatusSetter
	Deleter
	GroupChanger
	GroupCreator
	SelfIdentifier
	Checker
	RequestCounter
}
